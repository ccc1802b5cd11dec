/**
 * `npm start` and `npm test` (see package.json): installs what is missing, then starts the server or the tests. An old
 * Node must be able to parse this file, to report that it is too old: no syntax newer than Node 14.
 */
const wanted = 20;

if (Number.parseInt(process.versions.node, 10) < wanted) {
  console.error(
    `Messenger needs Node ${wanted} or newer; this is Node ${process.versions.node}. See https://nodejs.org`,
  );
  process.exitCode = 1;
} else {
  import('./run-command.mjs')
    .then(({ runCommand }) => runCommand(process.argv[2], process.argv.slice(3)))
    .catch((error) => {
      console.error(error);
      process.exitCode = 1;
    });
}
