/** The schemas of blocks: they validate requests and generate the reference. */
import { Block } from '@messenger/protocol/blocks';
import { PersonPath } from '@messenger/protocol/conversations';
import { PeoplePageQuery } from '@messenger/protocol/members';
import { Type } from 'typebox';

import { withHeaders } from '../http/answer-headers.ts';
import { TokenHeaders } from '../http/consistency.ts';
import { plainJson } from '../http/json-body.ts';

const shared = { tags: ['blocks'], headers: TokenHeaders };
const signedIn = { access: 'signedIn' } as const;
const Done = withHeaders(Type.Null({ description: 'Done' }));

export const listBlocks = {
  ...plainJson,
  config: signedIn,
  schema: {
    ...shared,
    operationId: 'list_blocks',
    summary: 'List the people whom the caller blocks',
    description: 'In the order of user ids. Follow the `Link` header for further pages.',
    querystring: PeoplePageQuery,
    response: {
      200: withHeaders(Type.Array(Block, { title: 'BlockPage', description: 'Blocked people' }), {
        Link: 'On a full page, the address of the next one: `<…>; rel="next"`',
      }),
    },
  },
};

export const readBlock = {
  ...plainJson,
  config: { ...signedIn, refusals: ['block_not_found'] } as const,
  schema: {
    ...shared,
    params: PersonPath,
    operationId: 'read_block',
    summary: 'Read whether the caller blocks a person',
    description: 'Nobody else can read it.',
    response: { 200: withHeaders(Block) },
  },
};

export const blockPerson = {
  ...plainJson,
  config: { ...signedIn, refusals: ['user_not_found'] } as const,
  schema: {
    ...shared,
    params: PersonPath,
    operationId: 'block_person',
    summary: 'Block a person',
    description:
      'The person sends no direct messages to the caller, adds it to no conversation, and notifies it by no mention. The person is not told.',
    response: { 204: Done },
  },
};

export const unblockPerson = {
  ...plainJson,
  config: signedIn,
  schema: {
    ...shared,
    params: PersonPath,
    operationId: 'unblock_person',
    summary: 'End a block',
    description: 'Also when there is none.',
    response: { 204: Done },
  },
};
