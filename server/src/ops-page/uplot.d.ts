/** The page loads uplot from `/ops/uplot.js`. */
// oxlint-disable-next-line import/no-default-export -- uplot exports it.
export { default } from 'uplot';
