import { boolean, choice, fraction, integer, optionalText, text } from './lib/options.ts';

const longestMs = 3_600_000;

/** OpenTelemetry's own names: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ */
export const traceOptions = {
  disabled: boolean({
    env: 'OTEL_SDK_DISABLED',
    default: false,
    help: '`true` makes no traces, whatever else is set',
  }),
  endpoint: optionalText({
    env: 'OTEL_EXPORTER_OTLP_ENDPOINT',
    help: 'URL of an OpenTelemetry collector; traces go to `v1/traces` below it; when it is not set, there are none',
  }),
  tracesEndpoint: optionalText({
    env: 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
    help: 'The same for traces alone, as a whole URL',
  }),
  headers: optionalText({
    env: 'OTEL_EXPORTER_OTLP_HEADERS',
    secret: true,
    help: 'Headers for the collector, such as a key: `name=value`, separated by commas',
  }),
  tracesHeaders: optionalText({
    env: 'OTEL_EXPORTER_OTLP_TRACES_HEADERS',
    secret: true,
    help: 'The same for traces alone; these win',
  }),
  timeoutMs: integer({
    env: 'OTEL_EXPORTER_OTLP_TIMEOUT',
    default: 10_000,
    min: 100,
    max: longestMs,
    help: 'Milliseconds that the collector has to take what it is sent; then it is dropped',
  }),
  serviceName: text({ env: 'OTEL_SERVICE_NAME', default: 'messenger', help: 'Name of this service in traces' }),
  resourceAttributes: optionalText({
    env: 'OTEL_RESOURCE_ATTRIBUTES',
    help: 'What else traces say of this service: `name=value`, separated by commas',
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
    help: 'Which requests are traced; `parentbased_…` does as the `traceparent` of the client says, where there is one',
  }),
  samplerArg: fraction({
    env: 'OTEL_TRACES_SAMPLER_ARG',
    default: 1,
    help: 'The part of the requests that `…traceidratio` traces',
  }),
} as const;
