import { steady, type Phase } from './schedule.ts';
import { crud, paging, reading, writing, type Step } from './steps.ts';

/** A kind of run: the arrivals, and the requests of each user. */
export interface LoadType {
  /** The arrivals, in one sentence. */
  readonly about: string;
  readonly steps: readonly Step[];
  readonly phases: (users: number, seconds: number) => readonly Phase[];
}

export const loadTypes = {
  smoke: {
    about: 'One user per second, whatever --users says.',
    steps: crud,
    phases: (_users, seconds) => [steady(1, seconds)],
  },
  load: {
    about: 'A tenth of the users per second.',
    steps: crud,
    phases: (users, seconds) => [steady(users / 10, seconds)],
  },
  stress: {
    about:
      "The guide's run: half of the users in the first quarter of the time, a fifth per second for half of it, all of them in the last quarter.",
    steps: crud,
    phases: (users, seconds) => [
      { users: Math.round(users / 2), seconds: seconds / 4 },
      steady(users / 5, seconds / 2),
      { users, seconds: seconds / 4 },
    ],
  },
  spike: {
    about: 'A fiftieth of the users per second, and halfway all of them within one second.',
    steps: crud,
    phases: (users, seconds) => [
      steady(users / 50, seconds / 2),
      { users, seconds: 1 },
      steady(users / 50, Math.max(1, seconds / 2 - 1)),
    ],
  },
  soak: {
    about: 'A twentieth of the users per second; meant for hours.',
    steps: crud,
    phases: (users, seconds) => [steady(users / 20, seconds)],
  },
  pagination: {
    about: 'A twentieth of the users per second; each reads pages by key and by offset.',
    steps: paging,
    phases: (users, seconds) => [steady(users / 20, seconds)],
  },
  read: {
    about: 'A twentieth of the users per second; each reads its row and the list repeatedly.',
    steps: reading,
    phases: (users, seconds) => [steady(users / 20, seconds)],
  },
  write: {
    about: 'A twentieth of the users per second; each writes its row repeatedly, and reads back what it wrote.',
    steps: writing,
    phases: (users, seconds) => [steady(users / 20, seconds)],
  },
  chat: {
    about:
      'All users at once, on sockets, in shared conversations of 2 to 200 people; chat/habits.ts says what they do.',
    steps: [],
    phases: (users, seconds) => [{ users, seconds }],
  },
} as const satisfies Readonly<Record<string, LoadType>>;

export type LoadTypeName = keyof typeof loadTypes;

export function isLoadTypeName(name: string): name is LoadTypeName {
  return Object.hasOwn(loadTypes, name);
}
