/** `npm run build -w client`: writes the package that is published into client/dist, plain JavaScript with types. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const here = import.meta.dirname;
const dist = join(here, 'dist');

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly license: string;
}

const entry = (name: string): object => ({ types: `./${name}.d.ts`, default: `./${name}.js` });

function renderManifest({ name, version, description, license }: Manifest): string {
  const exports = { '.': entry('messenger'), './*': entry('*') };
  const manifest = { name, version, description, license, type: 'module', sideEffects: false, exports };
  return `${JSON.stringify({ ...manifest, engines: { node: '>=20.3' } }, undefined, 2)}\n`;
}

/** tsc leaves the names of sources in declarations. */
function nameJavaScript(file: string): void {
  writeFileSync(file, readFileSync(file, 'utf8').replaceAll(/ from '(\.\/[\w-]+)\.ts'/gu, " from '$1.js'"));
}

rmSync(dist, { recursive: true, force: true });
execFileSync(join(here, '../node_modules/.bin/tsc'), ['-p', here], { stdio: 'inherit' });
for (const name of readdirSync(dist).filter((one) => one.endsWith('.d.ts'))) nameJavaScript(join(dist, name));
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- npm has validated the file.
const manifest = JSON.parse(readFileSync(join(here, 'package.json'), 'utf8')) as Manifest;
writeFileSync(join(dist, 'package.json'), renderManifest(manifest));
copyFileSync(join(here, 'README.md'), join(dist, 'README.md'));
copyFileSync(join(here, '../LICENSE'), join(dist, 'LICENSE'));
