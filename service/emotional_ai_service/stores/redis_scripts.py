"""Keys of a session in Redis, and the scripts that change them, each all or nothing.

Every key of a session carries one hash tag, its id, so a cluster keeps them on one node; the index of all sessions is a few
keys with tags of their own.

    ea:{id}:head       hash: version, created and updated (microseconds), token
    ea:{id}:log        stream: entry SEQUENCE-0 has t (microseconds), p (payload), w (the stamp of the write)
    ea:{id}:first      hash: sequence, time, payload of the record a trimmed log begins with (no entry of a stream can change)
    ea:{id}:requests   sorted set: request ids by the version they led to
    ea:{id}:marks      hash: name to "VERSION VALUE", the version as of which it was written
    ea:{id}:snapshot   hash: version, payload
    ea:{id}:fence      set, short-lived: writers whose late commands are refused
    ea:{ids:N}         sorted set by name: ID NUL TOKEN of sessions, for each N

A stamp is `writer * 2^20 + serial`: it names one write of one connection. A command whose answer was lost may still be on its
way, so before its fate is told its writer is fenced: from then on none of its commands for that session does anything. A token
names one life of an id: an entry of the index counts only if the session carries the same token, so entries left over by a
process that died, or late removals, never hide or show a session wrongly.

Redis refuses the scripts as a whole, before their first step, where memory is full or the disk fails; deleting and trimming are
allowed when memory is full.
"""

import zlib
from hashlib import sha1
from typing import Final

from emotional_ai_service.stores.base import LASTING, MARKS_KEPT

SHARDS: Final = 16
"""Keys of the index."""
SERIALS: Final = 2**20
"""Writes one stamp's writer can number before they begin again."""
FENCE_SECONDS: Final = 600
"""How long a fence stands: longer than a command can be on its way."""
ABSENT: Final = -1
"""What a script answers where there is no session."""
FENCED: Final = -2
"""What a script answers to a writer that is fenced."""


def key(session_id: str, part: str) -> str:
    """The key of one part of a session."""
    # A tag ends at the first brace.
    tag = session_id.replace("%", "%25").replace("}", "%7D") if "}" in session_id or "%" in session_id else session_id
    return f"ea:{{{tag}}}:{part}"


def shard(session_id: str) -> str:
    """The key of the index a session belongs to."""
    return shard_key(zlib.crc32(session_id.encode()) % SHARDS)


def shard_key(number: int) -> str:
    """The key of one part of the index."""
    return f"ea:{{ids:{number}}}"


class Script:
    """A script and the name Redis keeps it under."""

    def __init__(self, source: str, flags: str = "") -> None:
        self.source = f"#!lua{flags and ' flags='}{flags}\n{source.strip()}\n"
        self.name = sha1(self.source.encode(), usedforsecurity=False).hexdigest()


_FENCE = f"""
local writer = math.floor(tonumber(ARGV[1]) / {SERIALS})
if redis.call('SISMEMBER', KEYS[1], writer) == 1 then return {FENCED} end
local version = redis.call('HGET', KEYS[2], 'version')
"""
"""KEYS: fence, head. ARGV: stamp."""

_SET_MARKS = f"""
local function set_marks(key, version, first, last)
  if last < first then return end
  for i = first, last, 2 do redis.call('HSET', key, ARGV[i], string.format('%d ', version) .. ARGV[i + 1]) end
  if redis.call('HLEN', key) <= {2 * MARKS_KEPT} then return end
  local marks, all = {{}}, redis.call('HGETALL', key)
  for i = 1, #all, 2 do
    if string.sub(all[i], 1, {len(LASTING)}) ~= '{LASTING}' then
      marks[#marks + 1] = {{all[i], tonumber(string.match(all[i + 1], '^%d+'))}}
    end
  end
  table.sort(marks, function(a, b) return a[2] > b[2] end)
  for i = {MARKS_KEPT + 1}, #marks do
    if marks[i][2] < marks[{MARKS_KEPT}][2] then redis.call('HDEL', key, marks[i][1]) end
  end
end
"""

APPEND: Final = Script(
    _FENCE
    + _SET_MARKS
    + f"""
local expected = tonumber(ARGV[2])
if version then
  if expected ~= 0 and ARGV[5] ~= '' and redis.call('HGET', KEYS[2], 'created') ~= ARGV[5] then return {ABSENT} end
  if tonumber(version) ~= expected then return tonumber(version) end
elseif expected ~= 0 then
  return {ABSENT}
end
local sequence, records = tonumber(ARGV[3]), 7 + tonumber(ARGV[6])
for i = records, #ARGV, 2 do
  sequence = sequence + 1
  redis.call('XADD', KEYS[3], string.format('%d-0', sequence), 't', ARGV[i], 'p', ARGV[i + 1], 'w', ARGV[1])
end
local number = string.format('%d', sequence)
redis.call('HSET', KEYS[2], 'version', number, 'updated', ARGV[#ARGV - 1])
if expected == 0 then redis.call('HSET', KEYS[2], 'created', ARGV[records], 'token', ARGV[5]) end
if ARGV[4] ~= '' then redis.call('ZADD', KEYS[4], number, ARGV[4]) end
set_marks(KEYS[5], sequence, 7, records - 1)
redis.call('SPUBLISH', KEYS[2], string.format('%d', writer))
return redis.status_reply('OK')
"""
)
"""Adds records.

KEYS: fence, head, log, requests, marks. ARGV: stamp, expected version, sequence before the first record, request id, the token
of a session that begins or when one that goes on was created (empty: whichever has the id), twice the number of marks, each
mark (name, value), each record (time, payload). Answers OK, or the version the session is at, ABSENT or FENCED.
"""

PUT_SNAPSHOT: Final = Script(
    _FENCE
    + f"""
if not version then return {ABSENT} end
if tonumber(ARGV[2]) > tonumber(version) then return tonumber(version) end
local kept = redis.call('HGET', KEYS[3], 'version')
if not kept or tonumber(kept) < tonumber(ARGV[2]) then
  redis.call('HSET', KEYS[3], 'version', ARGV[2], 'payload', ARGV[3])
end
return redis.status_reply('OK')
"""
)
"""KEYS: fence, head, snapshot. ARGV: stamp, version, payload. Answers as APPEND."""

NOTE: Final = Script(
    _FENCE
    + _SET_MARKS
    + f"""
if not version then return {ABSENT} end
set_marks(KEYS[3], tonumber(version), 2, #ARGV)
return redis.status_reply('OK')
"""
)
"""KEYS: fence, head, marks. ARGV: stamp, each mark (name, value). Answers as APPEND."""

TRIM: Final = Script(
    _FENCE
    + f"""
if not version then return {ABSENT} end
local sequence = tonumber(ARGV[2])
if sequence > tonumber(version) then return tonumber(version) end
local begins = tonumber(redis.call('HGET', KEYS[4], 'sequence') or '1')
if sequence < begins then return redis.status_reply('OK') end
redis.call('XTRIM', KEYS[3], 'MINID', string.format('%d-0', sequence + 1))
redis.call('HSET', KEYS[4], 'sequence', ARGV[2], 'time', ARGV[3], 'payload', ARGV[4])
redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', '(' .. ARGV[2])
local kept = redis.call('HGET', KEYS[6], 'version')
if kept and tonumber(kept) < sequence then redis.call('UNLINK', KEYS[6]) end
if sequence == tonumber(version) then redis.call('HSET', KEYS[2], 'updated', ARGV[3]) end
return redis.status_reply('OK')
""",
    "allow-oom",
)
"""KEYS: fence, head, log, first, requests, snapshot. ARGV: stamp, sequence, time, payload. Answers as APPEND."""

DELETE: Final = Script(
    _FENCE
    + f"""
if not version then return {ABSENT} end
local token = redis.call('HGET', KEYS[2], 'token')
redis.call('UNLINK', unpack(KEYS, 2))
redis.call('SPUBLISH', KEYS[2], string.format('%d', writer))
return token
""",
    "allow-oom",
)
"""KEYS: fence, head and all others. ARGV: stamp. Answers the token of the life that ended, ABSENT or FENCED."""

SETTLE: Final = Script(
    f"""
local writer = math.floor(tonumber(ARGV[1]) / {SERIALS})
redis.call('SADD', KEYS[1], writer)
redis.call('EXPIRE', KEYS[1], {FENCE_SECONDS})
local version = tonumber(redis.call('HGET', KEYS[2], 'version') or '{ABSENT}')
if ARGV[2] == '' or version < tonumber(ARGV[2]) then return version end
local entry = redis.call('XRANGE', KEYS[3], ARGV[2] .. '-0', ARGV[2] .. '-0')[1]
if not entry then return {FENCED} end
if entry[2][6] == ARGV[1] then return redis.status_reply('OK') end
return version
""",
    "allow-oom",
)
"""Fences the writer of a stamp and tells what became of it.

KEYS: fence, head, log. ARGV: stamp, the sequence of an append's last record or nothing. Answers OK if the append was applied,
FENCED if its record was trimmed since, so that nobody can tell; else it was not and never will be, and the answer is the
version the session is at, or ABSENT.
"""

SCRIPTS: Final = (APPEND, PUT_SNAPSHOT, NOTE, TRIM, DELETE, SETTLE)
