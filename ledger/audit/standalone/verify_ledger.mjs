#!/usr/bin/env node
// Verify ledger: the same as verify_ledger.py, written anew for Node from 18 on, with nothing but what Node brings.
//
//     node verify_ledger.mjs FOLDER --vkey VKEY [--kept NOTE]... [--witness VKEY... --quorum N] [--json]
//
// Two programs that share no line and agree are harder to fool than one. What is checked, and what it ends with, stands
// in SPEC.md; `--vectors FILE` checks this program itself.

import * as crypto from 'node:crypto';
import { closeSync, openSync, readFileSync, readSync, realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const CODES = {
  manifest: 10, leaves: 11, tiles: 12, root: 13, signature: 14, witnesses: 15, kept: 16, truncated: 17,
  versions: 20, entries: 21, balances: 22, keys: 23, periods: 24, approvals: 25, vectors: 30,
};
const UNSIGNED = 3;
const FORMAT = 'ledger-export/v1';
const PREFIX = Buffer.from('ledger-leaf/v1\n');
const BUNDLE = 65536;
const WIDTH = 256;
const DAY_MS = 86_400_000;
const LAST = 2_932_896n * 86_400_000_000n; // the year 9999 in µs since 1970

class Broken extends Error {}

const said = (number) => number.toLocaleString('en-US');

class Report {
  findings = new Map(); // check -> [position, until, words]

  found(check, words, position = null, until = null) {
    const known = this.findings.get(check);
    if (!known || (position !== null && (known[0] === null || position < known[0]))) {
      this.findings.set(check, [position, until, words]);
    }
  }

  place() {
    const inner = ['manifest', 'leaves', 'tiles'].filter((check) => this.findings.has(check));
    const exact = inner.map((check) => this.findings.get(check))
      .filter(([position, until]) => position !== null && (until === null || until === position));
    if (exact.length) return [Math.min(...exact.map(([position]) => position)), null];
    const [, found] = this.inOrder().find(([, [position]]) => position !== null) ?? [null, [null, null]];
    return found.slice(0, 2);
  }

  inOrder() {
    return [...this.findings].sort((one, other) => CODES[one[0]] - CODES[other[0]]);
  }
}

// --- bytes, text, JSON

// The short way is newer than Node 18.
const hashOf = crypto.hash ?? ((name, data) => crypto.createHash(name).update(data).digest());
const sha256 = (...pieces) => hashOf('sha256', Buffer.concat(pieces.map((one) => Buffer.from(one))), 'buffer');
const leafHash = (raw) => hashOf('sha256', Buffer.concat([LEAF, raw]), 'buffer');
const LEAF = Buffer.from([0]);
const NODE = Buffer.from([1]);
const EMPTY = sha256();

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const lenient = new TextDecoder('utf-8', { ignoreBOM: true });

const object = (raw) => {
  const found = JSON.parse(strict.decode(raw));
  if (found === null || typeof found !== 'object' || Array.isArray(found)) throw new Broken('that is no JSON object');
  return found;
};

const text = (value) => {
  if (typeof value !== 'string' || !isWellFormed(value)) throw new Broken('that is no text');
  return value;
};

const isWellFormed = (value) => !/[\ud800-\udfff]/.test(value) || Buffer.from(value).toString() === value;

const unpacked = (packed) => {
  if (packed.length % 4 || !/^[A-Za-z0-9+/]*={0,2}$/.test(packed)) throw new Broken('that is no base64');
  return Buffer.from(packed, 'base64');
};

// --- signed notes and checkpoints

const ED25519 = Buffer.from('302a300506032b6570032100', 'hex'); // what stands in front of a raw key in DER

class Key {
  constructor(written) {
    const trimmed = written.trim();
    const first = trimmed.indexOf('+');
    const second = trimmed.indexOf('+', first + 1);
    if (first < 1 || second < 0) throw new Broken('a key is written as name+id+base64');
    this.name = trimmed.slice(0, first);
    const raw = unpacked(trimmed.slice(second + 1));
    this.kind = raw[0];
    this.public = raw.subarray(1);
    this.id = sha256(this.name, '\n', raw).subarray(0, 4);
    if (![1, 4].includes(this.kind) || raw.length !== 33 || this.id.toString('hex') !== trimmed.slice(first + 1, second)) {
      throw new Broken('a key is written as name+id+base64 of an Ed25519 key');
    }
    this.key = crypto.createPublicKey({ key: Buffer.concat([ED25519, this.public]), format: 'der', type: 'spki' });
  }

  hasSigned(message, signature) {
    if (this.kind === 1) return signature.length === 64 && crypto.verify(null, Buffer.from(message), this.key, signature);
    if (signature.length !== 72) return false;
    const moment = signature.readBigUInt64BE();
    return crypto.verify(null, Buffer.from(`cosignature/v1\ntime ${moment}\n${message}`), this.key, signature.subarray(8));
  }
}

class Note {
  constructor(content) {
    let whole;
    try {
      whole = strict.decode(content);
    } catch {
      throw new Broken('the note is not UTF-8');
    }
    const end = whole.lastIndexOf('\n\n');
    this.text = whole.slice(0, end + 1);
    const tail = whole.slice(end + 2);
    const lines = this.text.split('\n');
    if (end < 0 || !tail.endsWith('\n') || lines.length < 4) {
      throw new Broken('a checkpoint is three lines, an empty line and signatures');
    }
    const [origin, size, root] = lines;
    if (!/^(0|[1-9][0-9]{0,18})$/.test(size) || !origin) throw new Broken("a checkpoint says the log's name and size");
    this.origin = origin;
    this.size = Number(size);
    this.written = size;
    this.root = unpacked(root);
    if (this.root.length !== 32) throw new Broken('a root has 32 bytes');
    this.signatures = tail.slice(0, -1).split('\n').map((line) => {
      const [mark, name, ...packed] = line.split(' ');
      if (mark !== '\u2014' || !name || packed.length !== 1) throw new Broken('a signature is written as \u2014 name base64');
      return [name, unpacked(packed[0])];
    });
  }

  signers(keys) {
    const found = new Set();
    for (const key of keys) {
      const mine = this.signatures.find(([name, raw]) => name === key.name && raw.subarray(0, 4).equals(key.id));
      if (!mine) continue;
      if (!key.hasSigned(this.text, mine[1].subarray(4))) throw new Broken(`the signature of ${key.name} is wrong`);
      found.add(key.public.toString('hex'));
    }
    return found;
  }
}

// --- the tree

const node = (left, right) => hashOf('sha256', Buffer.concat([NODE, left, right]), 'buffer');

const perfect = (hashes) => {
  let row = hashes;
  while (row.length > 1) {
    const above = [];
    for (let at = 0; at < row.length; at += 2) above.push(node(row[at], row[at + 1]));
    row = above;
  }
  return row[0];
};

const tilePath = (level, index, width = WIDTH) => {
  const three = (number) => String(number % 1000).padStart(3, '0');
  const groups = [three(index)];
  for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000)) groups.unshift(`x${three(rest)}`);
  return `tile/${level}/${groups.join('/')}${width < WIDTH ? `.p/${width}` : ''}`;
};

class Tree {
  size = 0;
  levels = [[]];
  done = [0];

  constructor(sealed) {
    this.sealed = sealed;
  }

  add(leaf) {
    this.size += 1;
    this.levels[0].push(leaf);
    for (let level = 0; this.levels[level].length === WIDTH; level += 1) {
      const root = perfect(this.levels[level]);
      this.sealed(level, this.done[level], this.levels[level], WIDTH);
      this.levels[level] = [];
      this.done[level] += 1;
      if (level + 1 === this.levels.length) {
        this.levels.push([]);
        this.done.push(0);
      }
      this.levels[level + 1].push(root);
    }
  }

  end(size) {
    this.levels.forEach((hashes, level) => {
      const width = Math.min(WIDTH, Math.floor(size / WIDTH ** level) - this.done[level] * WIDTH);
      if (hashes.length && width >= hashes.length) this.sealed(level, this.done[level], hashes, width);
    });
  }

  root() {
    const peaks = [];
    for (const hashes of [...this.levels].reverse()) {
      for (let at = 0, width = WIDTH; at < hashes.length; width >>= 1) {
        if (at + width <= hashes.length) {
          peaks.push(perfect(hashes.slice(at, at + width)));
          at += width;
        }
      }
    }
    return peaks.length ? peaks.reduceRight((right, left) => node(left, right)) : EMPTY;
  }
}

const climb = (at, last, steps, meet) => {
  let [index, end] = [at, last];
  for (const step of steps) {
    if (end === 0) return false;
    if (index % 2 === 1 || index === end) {
      meet(step, true);
      while (index % 2 === 0 && index > 0) [index, end] = [Math.floor(index / 2), Math.floor(end / 2)];
    } else {
      meet(step, false);
    }
    [index, end] = [Math.floor(index / 2), Math.floor(end / 2)];
  }
  return end === 0;
};

const proved = (leaf, index, size, proof, root) => {
  if (!(index >= 0 && index < size)) return false;
  let found = leaf;
  const whole = climb(index, size - 1, proof, (step, isLeft) => {
    found = isLeft ? node(step, found) : node(found, step);
  });
  return whole && found.equals(root);
};

const goesOn = (older, newer, proof, oldRoot, newRoot) => {
  if (!(older >= 0 && older <= newer)) return false;
  if (older === 0 || older === newer) return proof.length === 0 && (older === 0 || oldRoot.equals(newRoot));
  if (!proof.length) return false;
  const [first, ...rest] = Number.isInteger(Math.log2(older)) ? [oldRoot, ...proof] : proof;
  let [at, last, was, now] = [older - 1, newer - 1, first, first];
  while (at % 2 === 1) [at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
  const whole = climb(at, last, rest, (step, isLeft) => {
    if (isLeft) was = node(step, was);
    now = isLeft ? node(step, now) : node(now, step);
  });
  return whole && was.equals(oldRoot) && now.equals(newRoot);
};

// --- the leaves

class Leaf {
  constructor(raw) {
    if (!raw.subarray(0, 15).equals(PREFIX)) throw new Broken('it does not begin as a leaf');
    let at = 39;
    const piece = (bytes) => {
      if (at + bytes > raw.length) throw new Broken('it is shorter than it says');
      const length = bytes === 2 ? raw.readUInt16BE(at) : raw.readUInt32BE(at);
      at += bytes + length;
      if (at > raw.length) throw new Broken('it is shorter than it says');
      return raw.subarray(at - length, at);
    };
    if (raw.length < 41) throw new Broken('it is shorter than it says');
    this.position = raw.readBigUInt64BE(15);
    this.version = raw.readBigUInt64BE(23);
    this.recorded = raw.readBigInt64BE(31);
    this.stream = piece(2);
    this.topic = piece(2);
    this.metadata = piece(4);
    this.state = piece(4);
    this.entry = piece(4);
    if (at !== raw.length) throw new Broken('it is longer than it says');
    if (this.recorded < 0n || this.recorded >= LAST || !this.stream.length || !this.topic.length) {
      throw new Broken('it has no stream, no topic or no time');
    }
  }

  postings() {
    const { entry } = this;
    const short = new Broken('its entry is longer or shorter than it says, or has no time');
    if (entry.length < 10) throw short;
    this.effective = entry.readBigInt64BE();
    const found = [];
    let at = 10;
    for (let left = entry.readUInt16BE(8); left > 0; left -= 1) {
      if (at + 10 > entry.length) throw short;
      const middle = at + 10 + entry[at + 9];
      if (middle + 2 > entry.length) throw short;
      const end = middle + 2 + entry.readUInt16BE(middle);
      if (end > entry.length) throw short;
      found.push([entry[at], entry.readBigUInt64BE(at + 1), lenient.decode(entry.subarray(at + 10, middle)),
        lenient.decode(entry.subarray(middle + 2, end))]);
      at = end;
    }
    if (at !== entry.length || this.effective <= -LAST || this.effective >= LAST) throw short;
    return found;
  }
}

const monthOf = (moment) => {
  const days = moment / 86_400_000_000n - (moment % 86_400_000_000n < 0n ? 1n : 0n);
  return new Date(Number(days) * DAY_MS).toISOString().slice(0, -17);
};

class Books {
  position = 0;
  recorded = 0n;
  key = '';
  versions = new Map();
  keys = new Set();
  closed = new Set();
  makers = new Map();
  requests = new Map();
  approved = new Map();
  agreed = new Set();
  policy = null;
  heeded = new Map(Object.entries(HEEDED));

  constructor(chart, report) {
    this.accounts = chart; // id -> { kind, currency, sides: [debits, credits] }
    this.report = report;
  }

  take(raw) {
    const leaf = new Leaf(raw);
    const found = (check, words) => this.report.found(check, words, this.position);
    this.position += 1;
    if (leaf.position !== BigInt(this.position)) throw new Broken(`it says that it is event ${said(leaf.position)}`);
    if (leaf.recorded < this.recorded) found('leaves', 'recorded before the event in front of it');
    this.recorded = leaf.recorded;
    const stream = leaf.stream.latin1Slice();
    const expected = (this.versions.get(stream) ?? 0n) + 1n;
    this.versions.set(stream, expected);
    if (leaf.version !== expected) {
      found('versions', `is number ${said(expected)} of its stream and says ${said(leaf.version)}`);
    }
    let metadata;
    try {
      metadata = object(leaf.metadata);
      const key = metadata.key ? text(metadata.key) : '';
      if (key && key !== this.key) {
        if (this.keys.has(key)) found('keys', 'an idempotency key has an effect for the second time');
        this.keys.add(key);
      }
      this.key = key;
      const topic = leaf.topic.latin1Slice();
      const heed = this.heeded.get(topic);
      if (heed) heed.call(this, stream, object(leaf.state), metadata, found, leaf.version, topic);
    } catch (error) {
      throw new Broken(`its metadata, or its state, is not what its topic asks for: ${error.message}`);
    }
    if (leaf.entry.length) this.post(leaf, found, metadata);
  }

  isAdjusting(leaf, month, metadata) {
    const kind = ADJUSTING.get(leaf.topic.latin1Slice());
    if (!kind) return false;
    try {
      const { adjusting } = object(leaf.state);
      return Boolean(adjusting) && adjusting.period === month && this.approved.get(metadata.causation) === kind;
    } catch {
      return false;
    }
  }

  needsApproval(kind, metadata, found) {
    if (this.approved.get(metadata.causation) !== kind) found('approvals', 'was done without a second person');
  }

  post(leaf, found, metadata) {
    const postings = leaf.postings();
    const sums = new Map();
    if (postings.length < 2) found('entries', `an entry of ${postings.length} postings`);
    for (const [side, amount, currency, name] of postings) {
      if (side > 1 || amount === 0n) {
        found('entries', 'an amount that is not above 0, or on no side');
        continue;
      }
      sums.set(currency, (sums.get(currency) ?? 0n) + (side ? -amount : amount));
      const account = this.accounts.get(name);
      if (account?.currency === currency && account.isOpen) account.sides[side] += amount;
      else found('balances', `posts to ${name}, which is no such account, or not yet`);
    }
    for (const [currency, apart] of sums) {
      if (apart) found('entries', `debits and credits are ${said(apart < 0n ? -apart : apart)} ${currency} apart`);
    }
    if (leaf.effective > leaf.recorded) found('leaves', 'takes effect after it was recorded');
    if (!this.closed.size) return;
    const month = monthOf(leaf.effective);
    if (this.closed.has(month) && !this.isAdjusting(leaf, month, metadata)) {
      found('periods', `takes effect in ${month}, which is closed`);
    }
  }

  end(claimed, claimedTotals) {
    const found = (words) => this.report.found('balances', words);
    for (const name of claimed.keys()) {
      if (!this.accounts.has(name)) found(`${name} has a balance and is not in the chart`);
    }
    for (const [name, account] of this.accounts) {
      const stated = claimed.get(name) ?? [0n, 0n];
      if (String(stated) !== String(account.sides)) {
        found(`${name} is said to have moved ${stated}, its entries say ${account.sides}`);
      }
    }
    const totals = this.totals();
    for (const currency of new Set([...totals.keys(), ...claimedTotals.keys()])) {
      const [one, other] = [totals.get(currency) ?? [0n, 0n], claimedTotals.get(currency) ?? [0n, 0n]];
      if (String(one) !== String(other)) found('the trial balance is not the sum of the accounts');
      if (one[0] !== one[1]) found(`the trial balance in ${currency} is ${said(one[0] - one[1])}`);
    }
  }

  totals() {
    const found = new Map();
    for (const { currency, sides } of this.accounts.values()) {
      const sums = found.get(currency) ?? [0n, 0n];
      found.set(currency, [sums[0] + sides[0], sums[1] + sides[1]]);
    }
    return found;
  }
}

function needs(state, ...names) {
  for (const name of names) if (!Object.hasOwn(state, name)) throw new Broken(`there is no ${name}`);
}

function proposed(stream, state) {
  needs(state, 'number', 'maker');
  this.makers.set(`${stream}\n${state.number}`, [state.maker, state.four_eyes ?? true]);
}

function carriedOut(stream, state, metadata, found, version) {
  needs(state, 'number', 'maker', 'checker');
  const [maker, fourEyes] = this.makers.get(`${stream}\n${state.number}`) ?? [null, true];
  if (maker === null || maker !== state.maker) found('approvals', 'carries out what nobody had proposed');
  else if (fourEyes && (!state.checker || state.checker === maker)) {
    found('approvals', 'was approved by whoever had proposed it');
  } else if (state.checker !== maker) this.agreed.add(`${stream}.${version}`);
}

const who = (metadata) => [metadata.actor, metadata.person || metadata.actor];

const exceeds = (limits, currency, amount) => Boolean(limits) && amount > (Object.hasOwn(limits, currency) ? limits[currency] : 0);

const movesMuch = (policy, state) => exceeds(policy.transfers, state.currency, state.amount);

const postsMuch = (policy, state) => {
  const debits = new Map();
  for (const { direction, currency, amount } of state.postings) {
    if (direction === 'debit') debits.set(currency, (debits.get(currency) ?? 0) + amount);
  }
  return !state.carries && [...debits].some(([currency, amount]) => exceeds(policy.entries, currency, amount));
};

// By topic: which command's approval it takes, and whether it does.
const GUARDED = new Map(Object.entries({
  'transfers.posted.v1': ['transfers.post', movesMuch],
  'holds.placed.v1': ['holds.place', movesMuch],
  'entries.posted.v1': ['entries.post', postsMuch],
  'entries.reversal_posted.v1': ['entries.reverse', (policy) => policy.reversals],
  'accounts.limits_changed.v1': ['accounts.change_limits', (policy, state) => (
    policy.account_limits && !text(state.id).startsWith('sys:'))],
}));
const ADJUSTING = new Map(['entries.posted.v1', 'entries.reversal_posted.v1'].map((topic) => [topic, GUARDED.get(topic)[0]]));

function guarded(stream, state, metadata, found, version, topic) {
  const [kind, needed] = GUARDED.get(topic);
  // What two people have resolved so was approved with that.
  if (needed(this.policy, state) && !this.agreed.has(metadata.causation)) this.needsApproval(kind, metadata, found);
}

const HEEDED = {
  'accounts.opened.v1'(stream, state, metadata, found) {
    const account = this.accounts.get(text(state.id));
    if (!account || account.kind !== text(state.kind) || account.currency !== text(state.currency)) {
      found('balances', `opens ${state.id}, which the chart has otherwise`);
    } else account.isOpen = true;
  },
  'periods.closed.v1'(stream, state, metadata, found) {
    if (state.overridden?.length) this.needsApproval('periods.close', metadata, found);
    this.closed.add(text(state.period));
  },
  'periods.reopened.v1'(stream, state, metadata, found) {
    this.needsApproval('periods.reopen', metadata, found);
    this.closed.delete(text(state.period));
  },
  'approvals.policy_changed.v1'(stream, state, metadata, found) {
    if (this.policy) this.needsApproval('approvals.change_policy', metadata, found);
    this.policy = state;
    for (const topic of GUARDED.keys()) this.heeded.set(topic, guarded);
  },
  'approvals.requested.v1'(stream, state, metadata) {
    const kind = text(state.kind);
    const digest = sha256(`${kind}\n${text(state.command)}`).toString('hex');
    this.requests.set(stream, [kind, digest, text(state.maker), metadata.actor]);
  },
  'approvals.approved.v1'(stream, state, metadata, found, version) {
    needs(state, 'kind', 'digest', 'maker', 'checker');
    const [kind, digest, maker, key] = this.requests.get(stream) ?? [];
    this.requests.delete(stream);
    if (kind === undefined || kind !== state.kind || digest !== state.digest || maker !== state.maker) {
      found('approvals', 'agrees to what was not asked for');
    } else if (!state.checker || state.checker === maker || metadata.actor === key) {
      found('approvals', 'was approved by whoever had asked for it');
    } else this.approved.set(`${stream}.${version}`, kind);
  },
  'merchant_losses.proposed.v1': proposed,
  'merchant_losses.written_off.v1': carriedOut,
  'credit_lines.loss_proposed.v1': proposed,
  'credit_lines.impaired.v1': carriedOut,
  'credit_lines.written_off.v1': carriedOut,
  'breaks.proposed.v1': proposed,
  'breaks.resolved.v1': carriedOut,
  'payouts.created.v1'(stream, state, metadata, found) {
    if (state.needs_approval) this.makers.set(`${stream}\npayout`, who(metadata));
    else if (exceeds(this.policy?.payouts, state.currency, state.amount)) {
      found('approvals', 'asks for no second person, and the policy does');
    }
  },
  'payouts.approved.v1'(stream, state, metadata, found) {
    const maker = this.makers.get(`${stream}\npayout`);
    this.makers.delete(`${stream}\npayout`);
    if (!maker || who(metadata).some((one) => maker.includes(one))) found('approvals', 'was approved by whoever had asked for it');
  },
  'payouts.reserved.v1'(stream, state, metadata, found) {
    if (this.makers.has(`${stream}\npayout`)) found('approvals', 'is paid out, and nobody has agreed');
  },
};

// --- an export

class Export {
  size = 0;
  root = Buffer.alloc(0);
  kept = 0;
  witnesses = 0;
  totals = new Map();
  files = new Map();

  constructor(folder, report) {
    this.folder = folder;
    this.report = report;
  }

  check(keys, kept, witnesses, quorum) {
    const found = this.report.found.bind(this.report);
    let manifest;
    let others;
    let books;
    let balances;
    let totals;
    let older;
    try {
      manifest = object(this.bytes('manifest.json'));
      if (manifest.format !== FORMAT) throw new Broken(`this is not ${FORMAT}`);
      this.files = new Map(Object.entries(manifest.files));
      if (!Number.isSafeInteger(manifest.size) || manifest.size < 0 || ![...this.files.keys()].every(isInside)) {
        throw new Broken('a manifest has a size, and names files within the folder');
      }
      others = new Map(['checkpoint', 'chart.json', 'balances.json'].map((path) => [path, this.bytes(path)]));
      older = [...this.files.keys()].filter((path) => path.startsWith('checkpoints/')).sort();
      for (const path of older) others.set(path, this.bytes(path));
      for (const path of this.files.keys()) {
        if (!others.has(path) && !path.startsWith('entries/') && !path.startsWith('tile/')) this.bytes(path);
      }
      const claimed = object(others.get('balances.json'));
      balances = sidesOf(claimed.accounts);
      totals = sidesOf(claimed.trial_balance);
      const chart = object(others.get('chart.json')).accounts.map((one) => [
        text(one.id), { kind: text(one.kind), currency: text(one.currency), sides: [0n, 0n], isOpen: false }]);
      books = new Books(new Map(chart), this.report);
      if (claimed.size !== manifest.size || manifest.origin !== new Note(others.get('checkpoint')).origin) {
        throw new Broken('it is not of one log and of one size');
      }
    } catch (error) {
      found('manifest', `the export cannot be read: ${error.message}`);
      return;
    }
    const head = new Note(others.get('checkpoint'));
    const notes = this.notes(others, older, kept, keys, manifest.origin);
    const [whole, roots] = this.read(manifest.size, new Set(notes.map(([, note]) => note.size)), books);
    if (whole) {
      books.end(balances, totals);
      this.totals = books.totals();
    }
    this.judge(head, manifest, notes, roots, whole);
    this.believe(head, keys, witnesses, quorum);
  }

  bytes(path) {
    const content = readFileSync(`${this.folder}/${path}`);
    if (path !== 'manifest.json') this.isAsSaid(path, content.length, hashOf('sha256', content, 'buffer').toString('hex'));
    return content;
  }

  isAsSaid(path, bytes, hashed) {
    const one = this.files.get(path);
    if (!one || one.bytes !== bytes || one.sha256 !== hashed || Object.keys(one).length !== 2) {
      this.report.found('manifest', `${path} is not the file that the manifest names`, ...heldIn(path));
    }
  }

  read(size, wanted, books) {
    const tree = new Tree(this.sealed.bind(this));
    const roots = new Map([[0, EMPTY]]);
    let whole = true;
    for (let number = 0; number * BUNDLE < size; number += 1) {
      const path = `entries/${String(number).padStart(6, '0')}.bin`;
      let file;
      try {
        file = openSync(`${this.folder}/${path}`);
      } catch {
        whole = false;
        this.report.found('manifest', `the export is not whole: there is no ${path}`, ...heldIn(path));
        continue;
      }
      const content = crypto.createHash('sha256');
      const chunks = chunksOf(file, content);
      whole = whole && this.take(chunks, Math.min(size, (number + 1) * BUNDLE), books, tree, wanted, roots);
      while (chunks.next());
      this.isAsSaid(path, chunks.read, content.digest('hex'));
      closeSync(file);
    }
    this.size = tree.size;
    tree.end(size);
    if (whole) this.root = tree.root();
    return [whole, roots];
  }

  take(chunks, last, books, tree, wanted, roots) {
    let at = books.position;
    try {
      for (const raw of leavesOf(chunks)) {
        at = books.position + 1;
        if (at > last) throw new Broken('one more than the manifest knows of');
        books.take(raw);
        tree.add(leafHash(raw));
        if (wanted.has(at)) roots.set(at, tree.root());
      }
      at = books.position + 1;
      if (at <= last) throw new Broken('it is missing');
    } catch (error) {
      if (!(error instanceof Broken)) throw error;
      this.report.found('leaves', error.message, at);
      return false;
    }
    return true;
  }

  sealed(level, index, hashes, width) {
    const path = tilePath(level, index, width);
    let content = Buffer.alloc(0);
    try {
      content = this.bytes(path);
    } catch {
      this.report.found('manifest', `the export is not whole: there is no ${path}`);
    }
    if (content.length === 32 * width && content.subarray(0, 32 * hashes.length).equals(Buffer.concat(hashes))) return;
    const wrong = hashes.findIndex((one, at) => !content.subarray(32 * at, 32 * at + 32).equals(one));
    const first = (index * WIDTH + (wrong < 0 ? hashes.length - 1 : wrong)) * WIDTH ** level;
    const words = level ? `${path} is not of the hashes below it` : 'is not what was sealed here';
    const known = this.report.findings.get('tiles')?.[0] ?? null;
    const last = first + WIDTH ** level;
    if (known === null || !(first < known && known <= last)) this.report.found('tiles', words, first + 1, last);
  }

  notes(others, older, kept, keys, origin) {
    const found = [];
    const all = [...older.map((path) => ['signature', path]), ...kept.map((path) => ['kept', path])];
    for (const [check, name] of all) {
      try {
        const note = new Note(check === 'kept' ? readFileSync(name) : others.get(name));
        if (note.origin !== origin) throw new Broken(`it is of another log: ${note.origin}`);
        if (!keys.length || note.signers(keys.filter((key) => key.name === origin)).size) {
          found.push([check === 'kept' ? name : '', note]);
        } else if (check === 'kept') throw new Broken('no key that you gave has signed it');
      } catch (error) {
        this.report.found(check, `${name}: ${error.message}`);
      }
    }
    return found;
  }

  judge(head, manifest, notes, roots, whole) {
    const found = this.report.found.bind(this.report);
    const { size } = manifest;
    const right = new Set();
    const wrong = new Map();
    for (const [name, note] of notes) {
      const root = roots.get(note.size);
      if (root?.equals(note.root)) {
        right.add(note.size);
        if (name) this.kept += 1;
      } else if (root) wrong.set(note.size, name || 'the export');
    }
    const until = wrong.size ? Math.min(...wrong.keys()) : Math.max(size, head.size);
    const since = Math.max(0, ...[...right].filter((one) => one < until)) + 1;
    if (wrong.size) {
      found('kept', `history was changed since the checkpoint of size ${said(until)} (${wrong.get(until)})`, since, until);
    }
    const longest = Math.max(0, ...notes.map(([, note]) => note.size));
    if (longest > size) {
      const words = `a checkpoint of ${said(longest)} events is known, and here are ${said(size)}`;
      found('truncated', words, Math.max(0, ...right) + 1, longest);
    }
    if (whole && head.root.equals(this.root) && manifest.root !== this.root.toString('hex')) {
      found('manifest', 'its root is not that of the checkpoint');
    }
    if (head.size !== size) {
      found('root', `the checkpoint is of ${said(head.size)} events, and here are ${said(size)}`, since, until);
    } else if (whole && !head.root.equals(this.root)) {
      found('root', 'the leaves are not those of the checkpoint', since, until);
    }
    const [position, last, words] = this.report.findings.get('manifest') ?? [null];
    const inside = ['leaves', 'tiles'].map((check) => this.report.findings.get(check)?.[0] ?? 0)
      .filter((at) => position !== null && position <= at && at <= (last ?? position));
    if (inside.length) this.report.findings.set('manifest', [Math.min(...inside), null, words]);
  }

  believe(head, keys, witnesses, quorum) {
    try {
      if (keys.length && !head.signers(keys.filter((key) => key.name === head.origin)).size) {
        throw new Broken('no key that you gave has signed the checkpoint');
      }
    } catch (error) {
      this.report.found('signature', error.message);
    }
    try {
      this.witnesses = head.signers(witnesses).size;
      if (this.witnesses < quorum) throw new Broken(`${this.witnesses} of ${quorum} witnesses have signed the checkpoint`);
    } catch (error) {
      this.report.found('witnesses', error.message);
    }
  }
}

const sidesOf = (claimed) => new Map(Object.entries(claimed).map(([name, sides]) => {
  if (!Array.isArray(sides) || sides.length !== 2 || !sides.every((one) => /^[0-9]+$/.test(text(one)))) {
    throw new Broken('a balance is two decimal numbers');
  }
  return [name, sides.map(BigInt)];
}));

const heldIn = (path) => {
  if (!path.startsWith('entries/')) return [null, null];
  const number = Number(path.slice(8, 14));
  return [number * BUNDLE + 1, (number + 1) * BUNDLE];
};

const isInside = (path) => !path.split('/').some((part) => ['', '.', '..'].includes(part)) && !/[\\:]/.test(path);

const chunksOf = (file, content) => ({
  read: 0,
  next() {
    const chunk = Buffer.allocUnsafe(1 << 20);
    const count = readSync(file, chunk);
    this.read += count;
    content.update(chunk.subarray(0, count));
    return count ? chunk.subarray(0, count) : null;
  },
});

function* leavesOf(chunks) {
  let rest = Buffer.alloc(0);
  for (let chunk = chunks.next(); chunk; chunk = chunks.next()) {
    rest = rest.length ? Buffer.concat([rest, chunk]) : chunk;
    let at = 0;
    while (at + 4 <= rest.length) {
      const stop = at + 4 + rest.readUInt32BE(at);
      if (stop > rest.length) break;
      yield rest.subarray(at + 4, stop);
      at = stop;
    }
    rest = rest.subarray(at);
  }
  if (rest.length) throw new Broken('the file ends within a leaf');
}

// --- the program

export const verify = (folder, vkeys = [], kept = [], witnesses = [], quorum = -1) => {
  const report = new Report();
  const one = new Export(folder, report);
  const keys = vkeys.map((key) => new Key(key));
  const others = witnesses.map((key) => new Key(key));
  one.check(keys, kept, others, quorum < 0 ? others.length : quorum);
  const findings = report.inOrder().map(([check, [position, until, words]]) => (
    { check, exit: CODES[check], position, until, words }));
  const [first] = findings;
  const [position, until] = report.place();
  return {
    ok: !first,
    exit: first ? first.exit : keys.length ? 0 : UNSIGNED,
    check: first?.check ?? null,
    position,
    until,
    words: first?.words ?? '',
    size: one.size,
    root: one.root.toString('hex'),
    trial_balance: Object.fromEntries([...one.totals].sort().map(([name, sides]) => [name, String(sides[0] - sides[1])])),
    kept: one.kept,
    witnesses: one.witnesses,
    signature_checked: keys.length > 0,
    findings,
  };
};

const told = (found) => {
  const lines = found.findings.map(({ check, exit, position, until, words }) => {
    const end = until !== null && until !== position ? ` to ${said(until)}` : '';
    return `FAILED ${check} (${exit})${position === null ? '' : ` at event ${said(position)}${end}`}: ${words}`;
  });
  if (found.ok) {
    const balance = Object.entries(found.trial_balance).map((pair) => pair.join(' ')).join(' ') || 'of nothing';
    lines.push(`OK ${said(found.size)} events, size ${said(found.size)}, root ${found.root}, trial balance ${balance}, `
      + `${found.kept} kept checkpoints consistent, ${found.witnesses} witnesses`);
  }
  if (!found.signature_checked) {
    lines.push("NOBODY'S SIGNATURE WAS CHECKED: say with --vkey whom you believe, and not what this folder says");
  }
  return lines.join('\n');
};

const leafTold = (raw) => {
  try {
    const leaf = new Leaf(raw);
    const lines = leaf.entry.length ? leaf.postings() : [];
    const numbers = [leaf.position, leaf.version, leaf.recorded, ...(lines.length ? [leaf.effective] : [])].map(String);
    const texts = [leaf.stream, leaf.topic, leaf.metadata, leaf.state].map((one) => lenient.decode(one));
    const postings = lines.map(([side, amount, currency, account]) => [side, String(amount), currency, account]);
    return [leafHash(raw).toString('hex'), numbers, texts, postings];
  } catch (error) {
    if (error instanceof Broken) return null;
    throw error;
  }
};

const signersTold = (note, keys) => {
  try {
    const read = new Note(Buffer.from(note));
    return [read.origin, read.written, read.root.toString('hex'), read.signers(keys.map((key) => new Key(key))).size];
  } catch (error) {
    if (error instanceof Broken) return null;
    throw error;
  }
};

const checkVectors = (vectors) => {
  const hex = (written) => Buffer.from(written, 'hex');
  const wrong = [];
  const answers = {
    leaves: (one) => leafTold(hex(one.preimage)),
    roots: (one) => {
      const tree = new Tree(() => {});
      for (let at = 0; at < one.size; at += 1) tree.add(leafHash(Buffer.from(String(at))));
      return tree.root().toString('hex');
    },
    tiles: (one) => tilePath(one.level, one.index, one.width),
    inclusion: (one) => proved(hex(one.leaf), one.index, one.size, one.proof.map(hex), hex(one.root)),
    consistency: (one) => goesOn(one.old, one.new, one.proof.map(hex), hex(one.old_root), hex(one.new_root)),
    notes: (one) => signersTold(one.note, one.keys),
  };
  for (const [kind, answer] of Object.entries(answers)) {
    vectors[kind].forEach((one, number) => {
      const given = answer(one);
      if (JSON.stringify(given) !== JSON.stringify(one.answer)) {
        wrong.push(`${kind} ${number}: ${JSON.stringify(given)} instead of ${JSON.stringify(one.answer)}`);
      }
    });
  }
  return wrong;
};

const main = (words) => {
  const asked = { folder: [], vkey: [], kept: [], witness: [], quorum: [], vectors: [], json: false };
  const wrongWords = (complaint) => {
    process.stderr.write(`verify_ledger.mjs: ${complaint}\n`);
    return 2;
  };
  for (let at = 0; at < words.length; at += 1) {
    const name = words[at].slice(2);
    if (words[at] === '--json') asked.json = true;
    else if (!words[at].startsWith('--')) asked.folder.push(words[at]);
    else if (!Array.isArray(asked[name]) || name === 'folder' || at + 1 === words.length) return wrongWords(`${words[at]}?`);
    else asked[name].push(words[(at += 1)]);
  }
  if (asked.vectors.length) {
    const wrong = checkVectors(JSON.parse(readFileSync(asked.vectors[0])));
    process.stdout.write(`${wrong.join('\n') || 'OK the vectors are answered as they should be'}\n`);
    return wrong.length ? CODES.vectors : 0;
  }
  if (asked.folder.length !== 1) return wrongWords('which FOLDER?');
  if (asked.quorum.length && !/^[0-9]+$/.test(asked.quorum.at(-1))) return wrongWords('--quorum is a number');
  try {
    const quorum = asked.quorum.length ? Number(asked.quorum.at(-1)) : -1;
    const found = verify(asked.folder[0], asked.vkey, asked.kept, asked.witness, quorum);
    process.stdout.write(`${asked.json ? JSON.stringify(found) : told(found)}\n`);
    return found.exit;
  } catch (error) {
    if (error instanceof Broken) return wrongWords(error.message);
    throw error;
  }
};

if (process.argv[1] && realpathSync(process.argv[1]) === realpathSync(fileURLToPath(import.meta.url))) {
  process.exitCode = main(process.argv.slice(2));
}
