import type { EndedRequest, HttpObserver } from '../http/observer.ts';
import { metricTable } from './metric-table.ts';
import { add, observe, type Metrics, type Series } from './metrics.ts';

const { buckets } = metricTable.messenger_http_request_duration_seconds;

/** Others that Node's parser knows (`PROPFIND`, …) are one, so that nobody can make series by sending them. */
const methods: ReadonlySet<string> = new Set(['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'TRACE']);

interface RequestSeries {
  readonly total: Series;
  readonly duration: Series;
}

/** Counts requests. The labels of a request are looked up once; then it costs three additions. */
export function countRequests(metrics: Metrics): HttpObserver {
  const known = new Map<string, RequestSeries>();
  const inFlight = metrics.series('messenger_http_requests_in_flight');
  const seriesOf = ({ method, route = 'none', status }: EndedRequest): RequestSeries => {
    const statusClass = `${Math.floor(status / 100)}xx`;
    const key = `${method} ${route} ${statusClass}`;
    let series = known.get(key);
    if (series === undefined) {
      const labels = [methods.has(method) ? method : 'other', route, statusClass];
      series = {
        total: metrics.series('messenger_http_requests_total', ...labels),
        duration: metrics.series('messenger_http_request_duration_seconds', ...labels),
      };
      known.set(key, series);
    }
    return series;
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
