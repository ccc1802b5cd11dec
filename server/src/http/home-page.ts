import { Representation, sendRepresentation } from './representation.ts';
import type { HttpServer } from './server.ts';

export interface HomePage {
  readonly version: string;
  /** The server's URL, for examples: `http://127.0.0.1:8080`. */
  readonly url: string;
  /** Whether `/ops` is on this port. */
  readonly hasOps: boolean;
}

function render({ version, url, hasOps }: HomePage): string {
  const ops = hasOps ? '\n      <li><a href="/ops">Live status</a>, for the operator</li>' : '';
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Messenger</title>
    <link rel="icon" href="data:,">
    <script type="module" src="/home.js"></script>
    <style>
      :root { color-scheme: light dark; font: 1rem/1.6 system-ui, sans-serif; }
      body { max-width: 40rem; margin: 12vh auto 2rem; padding: 0 1.5rem; }
      h1 { font-size: 2rem; margin: 0; letter-spacing: -0.02em; }
      small, p.lead { opacity: 0.75; }
      code, pre { font-family: ui-monospace, monospace; font-size: 0.9rem; }
      pre { padding: 1rem; border-radius: 0.5rem; background: color-mix(in srgb, currentColor 8%, transparent); white-space: pre-wrap; overflow-wrap: anywhere; }
      button { font: inherit; padding: 0.25rem 0.75rem; }
      ul { padding-left: 1.2rem; }
    </style>
  </head>
  <body>
    <h1>Messenger <small>${version}</small></h1>
    <p class="lead">A self-hosted messaging server. It is running, and this is its API.</p>
    <ul>
      <li><a href="/docs">API reference</a> (<a href="/openapi.json">OpenAPI 3.1</a>)</li>
      <li><a href="/api/v1/users">Users</a>, newest first</li>${ops}
      <li>Health: <a href="/readyz">ready</a>, <a href="/livez">alive</a>, <a href="/health">health</a></li>
    </ul>
    <pre id="command">curl -i ${url}/api/v1/users \\
  -H 'content-type: application/json' \\
  -d '{"first_name": "Ada", "last_name": "Lovelace"}'</pre>
    <button id="copy" type="button" hidden>Copy</button>
  </body>
</html>
`;
}

/** Browsers have no clipboard on pages without HTTPS from other machines: there, the button selects the command. */
const script = `
const button = document.querySelector('#copy');
const command = document.querySelector('#command');
button.hidden = false;
button.addEventListener('click', async () => {
  getSelection().selectAllChildren(command);
  const isCopied = await navigator.clipboard?.writeText(command.textContent).then(() => true, () => false);
  button.textContent = isCopied ? 'Copied' : 'Selected';
});
`;

const hidden = { schema: { hide: true }, config: { access: 'anyone' } } as const;

/** `GET /` in a browser: describes the server, with links. */
export function homePage(app: HttpServer, page: HomePage): void {
  const html = new Representation('text/html; charset=utf-8', render(page), 'file');
  app.get('/', hidden, async (request, reply) => sendRepresentation(request, reply, html));
  const copy = new Representation('text/javascript; charset=utf-8', script, 'file');
  app.get('/home.js', hidden, async (request, reply) => sendRepresentation(request, reply, copy));
}
