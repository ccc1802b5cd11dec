import assert from 'node:assert/strict';
import { test } from 'node:test';

import { noCollection } from '../../test/collections.ts';

import { sampleOf, type LiveSample } from '../telemetry/live-sample.ts';
import { follow, nothingYet } from './series.js';

const noon = 43_200_000;
const sampleAt = (atMs: number): LiveSample => sampleOf({ ...noCollection, atMs });

function seriesOf(...times: readonly number[]) {
  let series = nothingYet;
  for (const atMs of times) series = follow(series, sampleAt(atMs));
  return series;
}

const timesOf = ({ history }: ReturnType<typeof seriesOf>): number[] => history.map(({ atMs }) => atMs);

test('there are figures from the second sample on, for a quarter of an hour', () => {
  assert.deepEqual(timesOf(seriesOf(noon)), []);
  assert.deepEqual(timesOf(seriesOf(noon, noon + 1, noon + 2, noon + 900_001)), [noon + 2, noon + 900_001]);
});

test('what another worker knew a moment ago is no news', () => {
  const series = seriesOf(noon, noon + 1_000);
  assert.equal(follow(series, sampleAt(noon + 1_000)), series);
  assert.equal(follow(series, sampleAt(noon - 1_000)), series);
});

test('when the clock of the server is set back, the page goes on with the new time at once', () => {
  const series = seriesOf(noon, noon + 1_000, noon - 3_600_000, noon - 3_599_000);
  assert.equal(series.newest?.atMs, noon - 3_599_000);
  assert.deepEqual(timesOf(series), [noon - 3_599_000]);
});

test('a worker that was replaced since the last sample is remembered', () => {
  const { workers, ...rest } = sampleAt(noon + 1_000);
  const series = follow(seriesOf(noon), { ...rest, workers: { ...workers, restarts: 1 } });
  assert.equal(series.restartedAtMs, noon + 1_000);
});
