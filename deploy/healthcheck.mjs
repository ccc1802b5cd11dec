/** `node healthcheck.mjs [/readyz]`: exit code 0 when the server of this container answers this path with 2xx, else 1. */
const path = process.argv[2] ?? '/readyz';
try {
  const { ok, status } = await fetch(`http://127.0.0.1:${process.env.PORT ?? 8080}${path}`);
  process.stdout.write(`${status}\n`);
  process.exitCode = ok ? 0 : 1;
} catch (error) {
  process.stdout.write(`${error.cause?.code ?? error.message}\n`);
  process.exitCode = 1;
}
