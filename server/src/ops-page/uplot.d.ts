/** The page has uplot beside it, at `/ops/uplot.js`. */
// oxlint-disable-next-line import/no-default-export -- It is uplot's.
export { default } from 'uplot';
