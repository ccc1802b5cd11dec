/** Shows the token to the server, which gives a session for it. */

const form = document.querySelector('form');
const problem = document.querySelector('#problem');

/** @param {HTMLFormElement} filled */
async function signIn(filled) {
  const token = new FormData(filled).get('token');
  const answer = await fetch('/ops/session', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ token }),
  });
  if (!answer.ok)
    throw new Error(answer.status === 404 ? 'This is not the token.' : `The server answered ${answer.status}.`);
  localStorage.setItem('has-session', 'yes');
  location.reload();
}

/**
 * Whoever follows a link on another site comes without the session that there may be, because it is `SameSite=Strict`. For this
 * page the browser sends it.
 */
async function useSession() {
  const page = await fetch('/ops', { method: 'HEAD' });
  if (page.ok) location.replace('/ops');
}

if (localStorage.getItem('has-session') !== null) useSession().catch(() => undefined);
form?.addEventListener('submit', (event) => {
  event.preventDefault();
  signIn(form).catch((/** @type {unknown} */ error) => {
    if (problem !== null) problem.textContent = error instanceof Error ? error.message : 'The server does not answer.';
    form.querySelector('input')?.select();
  });
});
