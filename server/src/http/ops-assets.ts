import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';

import { Representation } from './representation.ts';

/** Files by their path below `/ops/`. The page loads nothing else, so it works without other networks. */
const files: Readonly<Record<string, string>> = {
  'index.html': '../ops-page/index.html',
  'style.css': '../ops-page/style.css',
  'page.js': '../ops-page/page.js',
  'series.js': '../ops-page/series.js',
  'format.js': '../ops-page/format.js',
  'charts.js': '../ops-page/charts.js',
  'uplot.js': import.meta.resolve('uplot/dist/uPlot.esm.js'),
  'uplot.css': import.meta.resolve('uplot/dist/uPlot.min.css'),
};

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
};

/** Loads the files of the live page. Rejects when one is missing. */
export async function loadOpsAssets(): Promise<ReadonlyMap<string, Representation>> {
  return new Map(
    await Promise.all(Object.entries(files).map(async ([name, file]) => [name, await load(file)] as const)),
  );
}

async function load(file: string): Promise<Representation> {
  const text = await readFile(new URL(file, import.meta.url), 'utf8');
  return new Representation(types[extname(file)] ?? 'text/plain; charset=utf-8', text, 'file');
}
