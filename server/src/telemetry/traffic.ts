/**
 * What clients want of the API, by the label `route` of the metrics of requests, as PromQL matches it: as a whole. Probes, scrapes and
 * pages for people are no traffic: on an idle server they would be all there is to judge.
 */
export const apiRoutes = '/api/.+';

/** With those that have no route: what was refused before its address was looked at (an overload), and unknown addresses. */
export const trafficRoutes = `${apiRoutes}|none`;
