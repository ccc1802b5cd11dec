import assert from 'node:assert/strict';
import { test } from 'node:test';

import { renderBlock } from './console-block.ts';
import { RequestOutcome } from './outcome.ts';

test("the block has the guide's form, to the column", () => {
  const outcome = new RequestOutcome('Global Information');
  for (let index = 0; index < 337_337; index++) outcome.ok.add(1);
  for (let index = 0; index < 163; index++) outcome.ok.add(202);
  assert.equal(
    renderBlock(outcome, 121),
    `---- Global Information --------------------------------------------------------
> request count                                     337500 (OK=337500 KO=0     )
> min response time                                      1 (OK=1      KO=-     )
> max response time                                    202 (OK=202    KO=-     )
> mean response time                                     1 (OK=1      KO=-     )
> std deviation                                          4 (OK=4      KO=-     )
> response time 50th percentile                          1 (OK=1      KO=-     )
> response time 75th percentile                          1 (OK=1      KO=-     )
> response time 95th percentile                          1 (OK=1      KO=-     )
> response time 99th percentile                          1 (OK=1      KO=-     )
> mean requests/sec                                2789.256 (OK=2789.256 KO=-  )
---- Response Time Distribution ------------------------------------------------
> t < 100 ms                                        337337 (100%)
> 100 ms <= t < 500 ms                                 163 (  0%)
> t >= 500 ms                                            0 (  0%)
> failed                                                 0 (  0%)`,
  );
});
