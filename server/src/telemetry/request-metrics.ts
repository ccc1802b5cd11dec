import type { EndedRequest, HttpObserver } from '../http/observer.ts';
import { metricTable } from './metric-table.ts';
import { add, observe, type Metrics, type Series } from './metrics.ts';

const { buckets } = metricTable.messenger_http_request_duration_seconds;

/** Other methods of Node's parser (`PROPFIND`, …) share one label, so that clients cannot create series. */
const methods: ReadonlySet<string> = new Set(['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'TRACE']);

interface RequestSeries {
  readonly total: Series;
  readonly duration: Series;
}

/**
 * Counts requests. Looks labels up one after the other, by existing strings: building a combined key for each request would cost
 * more than everything else.
 */
export function countRequests(metrics: Metrics): HttpObserver {
  const routes = new Map<string | undefined, Map<string, RequestSeries[]>>();
  const inFlight = metrics.series('messenger_http_requests_in_flight');
  const seriesOf = ({ method, route, status }: EndedRequest): RequestSeries => {
    const ofRoute = existingOrNew(routes, route, () => new Map<string, RequestSeries[]>());
    const classes = existingOrNew(ofRoute, method, () => []);
    const hundreds = Math.floor(status / 100);
    return (classes[hundreds] ??= openSeries(metrics, method, route, hundreds));
  };
  return {
    requestBegan: () => add(inFlight, 1),
    requestEnded: (request) => {
      add(inFlight, -1);
      const { total, duration } = seriesOf(request);
      add(total, 1);
      observe(duration, buckets, request.durationMs / 1_000);
    },
    requestRefused: (code) => add(metrics.series('messenger_http_requests_refused_total', code), 1),
  };
}

function existingOrNew<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = make()));
  return value;
}

function openSeries(metrics: Metrics, method: string, route: string | undefined, hundreds: number): RequestSeries {
  const labels = [methods.has(method) ? method : 'other', route ?? 'none', `${hundreds}xx`];
  return {
    total: metrics.series('messenger_http_requests_total', ...labels),
    duration: metrics.series('messenger_http_request_duration_seconds', ...labels),
  };
}
