/** The distinguishable names of one user. */
export interface Names {
  readonly first: string;
  readonly last: string;
}

/** A call for one user, and its client's result: names, `deleted`, an error code, or `left`. */
export interface Answered {
  readonly kind: 'get' | 'rename' | 'delete';
  /** The names of a rename; absent ones stay. */
  readonly names: Partial<Names>;
  readonly answer: Names | string;
}

type State = Names | undefined;

interface Step {
  readonly answer: Names | string;
  readonly next: State;
}

/**
 * Whether these concurrent calls for one user are linearisable: some sequential order gives these results and this
 * final state. A call whose client left may have been served or not. Tries all orders: for few calls.
 */
export function isExplained(calls: readonly Answered[], begin: State, end: State): boolean {
  const isRead = ({ kind }: Answered): boolean => kind === 'get';
  const reads = calls.filter((call) => isRead(call) && call.answer !== 'left').map(({ answer }) => answer);
  const writes = calls.filter((call) => !isRead(call));
  return isEnd(writes, [begin], reads, end);
}

/** `passed` are the states so far, the current one last. A read may have seen any of them. */
function isEnd(
  left: readonly Answered[],
  passed: readonly State[],
  reads: readonly (Names | string)[],
  end: State,
): boolean {
  const state = passed.at(-1);
  const isOver = left.every(({ answer }) => answer === 'left') && isSame(state, end);
  if (isOver && reads.every((answer) => passed.some((one) => isSame(one ?? 'user_not_found', answer)))) return true;
  return left.some((call, index) => {
    const { answer, next } = apply(call, state);
    if (call.answer !== 'left' && !isSame(answer, call.answer)) return false;
    return isEnd(left.toSpliced(index, 1), [...passed, next], reads, end);
  });
}

/**
 * The effect of a write in the database. Only text that cannot be sent is refused regardless of the user's existence.
 */
function apply({ kind, names }: Answered, state: State): Step {
  const given = Object.values(names);
  if (given.some((name) => name.includes('\u0000'))) return { answer: '22021', next: state };
  if (state === undefined) return { answer: 'user_not_found', next: state };
  if (kind === 'delete') return { answer: 'deleted', next: undefined };
  if (given.some((name) => name === '' || name.length > 100)) return { answer: '23514', next: state };
  const next = { ...state, ...names };
  return { answer: next, next };
}

function isSame(one: State | string, other: State | string): boolean {
  if (typeof one !== 'object' || typeof other !== 'object') return one === other;
  return one.first === other.first && one.last === other.last;
}
