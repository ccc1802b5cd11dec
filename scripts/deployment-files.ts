/** The files of deploy/ that are made from the code. `npm run docs` writes them; a test compares. */
import { runProgram } from '../server/src/commands/program.ts';
import { renderDashboard } from './grafana-dashboard.ts';

/** For whom compose.yaml is: each database server has 1 GB, as in the guide, and the machine four cores. */
const tuneArguments = 'tune --memory 1GB --cpus 4 --workers 4 --storage ssd --format compose';

/** By path, from the root of the repository. */
export async function renderDeploymentFiles(): Promise<Readonly<Record<string, string>>> {
  return {
    'deploy/tuned.yaml': await renderTuned(),
    'deploy/grafana/dashboards/messenger.json': renderDashboard(),
  };
}

async function renderTuned(): Promise<string> {
  let text = `# Extended by compose.yaml. For your own machine: npx messenger ${tuneArguments} > deploy/tuned.yaml\n`;
  await runProgram(tuneArguments.split(' '), {
    env: {},
    out: (part) => void (text += part),
    err: (part) => void (text += part),
    errIsTerminal: false,
    onSignal: () => undefined,
    exec: '',
    version: '',
  });
  return text;
}
