import { boolean, choice, fraction, integer, optionalText, text } from './lib/options.ts';

const maxTimeoutMs = 3_600_000;

/** OpenTelemetry's own names: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ */
export const traceOptions = {
  disabled: boolean({
    env: 'OTEL_SDK_DISABLED',
    default: false,
    help: '`true` switches traces off',
  }),
  endpoint: optionalText({
    env: 'OTEL_EXPORTER_OTLP_ENDPOINT',
    help: 'URL of an OpenTelemetry collector; traces go to its path `v1/traces`. Not set: no traces',
  }),
  tracesEndpoint: optionalText({
    env: 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
    help: 'The full URL for traces; overrides the URL above',
  }),
  headers: optionalText({
    env: 'OTEL_EXPORTER_OTLP_HEADERS',
    secret: true,
    help: 'Headers for the collector, such as an API key: `name=value`, separated by commas',
  }),
  tracesHeaders: optionalText({
    env: 'OTEL_EXPORTER_OTLP_TRACES_HEADERS',
    secret: true,
    help: 'Headers for traces; override those above',
  }),
  timeoutMs: integer({
    env: 'OTEL_EXPORTER_OTLP_TIMEOUT',
    default: 10_000,
    min: 100,
    max: maxTimeoutMs,
    help: 'Deadline of an export in milliseconds; then its spans are dropped',
  }),
  serviceName: text({ env: 'OTEL_SERVICE_NAME', default: 'messenger', help: 'Name of this service in traces' }),
  resourceAttributes: optionalText({
    env: 'OTEL_RESOURCE_ATTRIBUTES',
    help: 'Further attributes of this service in traces: `name=value`, separated by commas',
  }),
  sampler: choice({
    env: 'OTEL_TRACES_SAMPLER',
    default: 'parentbased_always_on',
    of: [
      'always_on',
      'always_off',
      'traceidratio',
      'parentbased_always_on',
      'parentbased_always_off',
      'parentbased_traceidratio',
    ],
    help: 'Which requests are traced; `parentbased_…` follows the `traceparent` of the client, if any',
  }),
  samplerArg: fraction({
    env: 'OTEL_TRACES_SAMPLER_ARG',
    default: 1,
    help: 'Fraction of requests that `…traceidratio` traces',
  }),
} as const;
