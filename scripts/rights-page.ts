import {
  actions,
  conversationKinds,
  mayDo,
  rolesOf,
  roleOfNewcomers,
  type Action,
  type ConversationKind,
} from '@messenger/protocol/rights';

/** What each action means, for readers of the page. */
const meanings: Readonly<Record<Action, string>> = {
  read: 'read messages, members and changes; change own messages and settings',
  react: 'react to messages',
  send: 'send messages',
  mention_all: 'notify everybody with `@all`',
  pin: 'pin messages',
  delete_messages: 'delete messages of others, and read their earlier versions',
  edit_conversation: 'change title, description, visibility and the time for edits',
  delete_conversation: 'delete the conversation',
  add_members: 'add people',
  remove_members: 'remove members',
  ban_members: 'ban people, end bans and list them',
  change_roles: 'change roles',
  invite: 'create, list and revoke invites',
  leave: 'leave',
};

const head = [
  '<!-- Generated from protocol/src/rights.ts by `npm run docs`. Do not edit. -->',
  '',
  '# Rights in conversations',
  '',
  'What each role may do, by kind of conversation. The server enforces this table (`server/test/rights.pg.test.ts`), and clients show by it.',
  'People who are no members get 404 `conversation_not_found`, as for a conversation that does not exist; members without the right get 403',
  '`not_permitted`.',
  '',
  'Members act on people below their own role alone; owners also on owners. They give at most their own role. A group or channel always has an',
  'owner.',
  '',
];

/** A direct conversation has one role. */
function rolesWith(action: Action, kind: ConversationKind): string {
  const roles = rolesOf[kind].filter((role) => mayDo(action, kind, role));
  if (roles.length === 0) return 'nobody';
  return roles.length === rolesOf[kind].length ? 'every member' : roles.join(', ');
}

export function renderRightsPage(): string {
  const newcomers = conversationKinds.map((kind) => `\`${roleOfNewcomers[kind]}\``);
  const rows = actions.map(
    (action) =>
      `| \`${action}\` | ${meanings[action]} | ${conversationKinds.map((kind) => rolesWith(action, kind)).join(' | ')} |`,
  );
  return [
    ...head,
    `| right | | ${conversationKinds.join(' | ')} |`,
    `|---|---|${conversationKinds.map(() => '---|').join('')}`,
    `| | role of who joins or is added | ${newcomers.join(' | ')} |`,
    ...rows,
    '',
  ].join('\n');
}
