import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { DatabaseError } from 'pg';

import { AppError } from '../lib/app-error.ts';
import {
  classifyFailure,
  describeFailure,
  describeRefusal,
  isFaultOfCalls,
  toAppError,
  withOutcome,
} from './errors.ts';

function fromServer(code: string, fields: Partial<DatabaseError> = {}): DatabaseError {
  return Object.assign(new DatabaseError('the words of PostgreSQL', 0, 'error'), { code, ...fields });
}

function fromSocket(code: string): Error {
  return Object.assign(new Error(`connect ${code}`), { code });
}

const unavailable: readonly (readonly [state: string, why: string])[] = [
  ['08006', 'the connection failed'],
  ['53300', 'too many connections'],
  ['53100', 'the disk is full'],
  ['57P01', 'the server is shut down'],
  ['57P02', 'another of its processes crashed'],
  ['57P03', 'the server starts up'],
  ['57P05', 'the session was idle for too long'],
  ['25006', 'the primary became read-only'],
  ['25P03', 'its transaction was idle for too long'],
  ['40001', 'the read stood in the way of replay'],
];

const socketCodes =
  'ECONNREFUSED ECONNRESET ENOENT EPIPE ETIMEDOUT ENOTFOUND EAI_AGAIN EHOSTUNREACH ENETUNREACH EAGAIN EMFILE ENFILE'.split(
    ' ',
  );

describe('a database is unavailable when', () => {
  for (const [state, why] of unavailable) {
    test(`${why} (${state})`, () => {
      const refusal = toAppError(fromServer(state));
      assert(refusal instanceof AppError);
      assert.equal(refusal.code, 'database_unavailable');
    });
  }

  for (const code of socketCodes) {
    test(`its socket reports ${code}`, () => assert.equal(classifyFailure(fromSocket(code)), 'unavailable'));
  }

  for (const words of [
    'Connection terminated unexpectedly',
    'Connection terminated due to connection timeout',
    'timeout expired',
    'timeout exceeded when trying to connect',
    'Client has encountered a connection error and is not queryable',
    'Client was closed and is not queryable',
  ]) {
    test(`the driver reports "${words}"`, () => assert.equal(classifyFailure(new Error(words)), 'unavailable'));
  }
});

describe('a write that was sent and failed', () => {
  const outcomeOf = (failure: unknown): unknown => withOutcome(toAppError(failure));

  test('has an unknown outcome without a conclusive answer', () => {
    for (const failure of [
      new Error('Connection terminated unexpectedly'),
      fromSocket('ECONNRESET'),
      fromServer('08P01'),
      fromServer('XX000', { severity: 'PANIC' }),
      fromServer('53100', { severity: 'PANIK', file: 'xlog.c' }),
    ]) {
      const refusal = outcomeOf(failure);
      assert(refusal instanceof AppError, failure.message);
      assert.equal(refusal.code, 'outcome_unknown');
    }
    const late = withOutcome(new AppError('statement_timeout', { cause: new Error('Connection terminated') }));
    assert(late instanceof AppError);
    assert.equal(late.code, 'outcome_unknown');
  });

  test('has written nothing when the server reported it, or it was never sent', () => {
    for (const failure of [
      fromServer('57P01'),
      fromServer('57014'),
      fromServer('53100'),
      new Error('Client has encountered a connection error and is not queryable'),
    ]) {
      const refusal = outcomeOf(failure);
      assert(refusal instanceof AppError, failure.message);
      assert.notEqual(refusal.code, 'outcome_unknown');
    }
    const wrong = fromServer('23505');
    assert.equal(outcomeOf(wrong), wrong);
  });
});

test('a statement timed out when it was cancelled, or a lock or transaction time-out ended it', () => {
  for (const code of ['57014', '55P03', '25P04']) {
    const refusal = toAppError(fromServer(code));
    assert(refusal instanceof AppError);
    assert.equal(refusal.code, 'statement_timeout', code);
  }
});

test('an invalid statement is a defect, and so are unknown errors', () => {
  for (const defect of [fromServer('42P01'), fromServer('23505'), fromServer('57P04'), fromServer('40P01')]) {
    assert.equal(toAppError(defect), defect);
  }
  for (const defect of [new TypeError('timeout'), fromSocket('EACCES'), 'connection terminated', undefined]) {
    assert.equal(toAppError(defect), defect);
  }
});

test('a batch is halved only if the arguments of a call can be the cause', () => {
  for (const code of ['22P05', '23514', '44000', '54000', 'P0001']) assert.ok(isFaultOfCalls(fromServer(code)), code);
  assert.ok(isFaultOfCalls(toAppError(fromServer('53400'))), 'temp_file_limit');
  for (const code of ['42501', '42P01', 'XX000', '40P01', '58030']) assert.ok(!isFaultOfCalls(fromServer(code)), code);
  assert.ok(!isFaultOfCalls(new Error('no words of PostgreSQL')));
});

test('the operator gets the message and the code, without user input', () => {
  const failure = fromServer('23514', { detail: 'Failing row contains (hunter2)', where: 'hunter2', hint: 'hunter2' });
  assert.equal(describeFailure(failure), 'the words of PostgreSQL (23514)');
  assert.equal(describeRefusal(failure), 'The database refuses: the words of PostgreSQL (23514)');
  assert.equal(describeRefusal(new Error('ours')), undefined);
  for (const error of [
    new Error('timeout expired'),
    new Error('Connection terminated unexpectedly'),
    new Error('The server does not support SSL connections'),
    Object.assign(new Error('certificate has expired'), { code: 'CERT_HAS_EXPIRED' }),
    Object.assign(new Error('self-signed certificate'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }),
  ])
    assert.match(describeRefusal(error) ?? '', /^No connection to the databases: /u, error.message);
});

test('a code appears once, and of several failed addresses the first', () => {
  assert.equal(describeFailure(fromSocket('ECONNREFUSED')), 'connect ECONNREFUSED');
  assert.equal(
    describeFailure(new AggregateError([fromSocket('EPIPE'), fromSocket('ENOENT')], 'no address answers')),
    'connect EPIPE',
  );
  assert.equal(describeFailure('thrown text'), 'unknown error');
});
