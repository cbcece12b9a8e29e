
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The Lua side of the atomic steps.
 *
 * PERSIST on the ledger, which has no expiry, changes nothing; but it is a
 * write that Redis permits when its memory is full, and after a first write
 * a script is let through to its end.  So the steps, which in sum free
 * memory, work when nothing else does.  Without it a full Redis could never
 * be drained.
 *
 * Before the first write a key is looked at that could be of a wrong type: a
 * step that broke off behind it would have taken away what it was to write
 * elsewhere.
 */


#include "fwd_lua.h"
#include "fwd_script.h"


/* The lease, first thing in every script but claim and beat. */
#define FWD_LUA_FENCE                                                         \
    "local lease = redis.call('GET', KEYS[1])\n"                              \
    "if not lease or string.match(lease, '^%d+') ~= ARGV[1] then\n"           \
    "  return 'FENCED'\n"                                                     \
    "end\n"

#define FWD_LUA_PERMIT                                                        \
    "redis.call('HLEN', KEYS[2])\n"                                           \
    "redis.call('PERSIST', KEYS[2])\n"

/* IDs as text: a before b?  Numbers of Lua are too small for them. */
#define FWD_LUA_BEFORE                                                        \
    "local function less(a, b)\n"                                             \
    "  if #a ~= #b then return #a < #b end\n"                                 \
    "  return a < b\n"                                                        \
    "end\n"                                                                   \
    "local function before(a, b)\n"                                           \
    "  local am, as = string.match(a, '^(%d+)-(%d+)$')\n"                     \
    "  local bm, bs = string.match(b, '^(%d+)-(%d+)$')\n"                     \
    "  if am ~= bm then return less(am, bm) end\n"                            \
    "  return less(as, bs)\n"                                                 \
    "end\n"

#define FWD_LUA_COUNT                                                         \
    "local function count(field, n)\n"                                        \
    "  if n > 0 then redis.call('HINCRBY', KEYS[2], field, n) end\n"          \
    "end\n"

/*
 * What an ID adds to a digest, as fwd_id_digest(); the parts are reduced
 * before they are multiplied, since a product above 2^53 would lose bits.
 */
#define FWD_LUA_DIGEST                                                        \
    "local function times(a, b)\n"                                            \
    "  local high = math.floor(b / 65536)\n"                                  \
    "  return (a * high % 65536 * 65536 + a * (b % 65536)) % 4294967296\n"    \
    "end\n"                                                                   \
    "local function h(id)\n"                                                  \
    "  local ms, seq = string.match(id, '^(%d+)-(%d+)$')\n"                   \
    "  ms = tonumber(ms) % 2097152\n"                                         \
    "  seq = tonumber(seq) % 65536\n"                                         \
    "  return (times(ms, 1103515245) + times(seq, 2654435761))\n"             \
    "         % 4294967296\n"                                                 \
    "end\n"                                                                   \
    "local function add(field, n)\n"                                          \
    "  if n > 0 then\n"                                                       \
    "    redis.call('HINCRBY', KEYS[2], field, string.format('%.0f', n))\n"   \
    "  end\n"                                                                 \
    "end\n"

/* Takes an event out of q or retry: 1 if it was there. */
#define FWD_LUA_TAKE                                                          \
    "local function take(id)\n"                                               \
    "  local n = redis.call('XDEL', KEYS[3], id)\n"                           \
    "  local m = redis.call('ZREM', KEYS[4], id)\n"                           \
    "  if n + m == 0 then return 0 end\n"                                     \
    "  redis.call('HDEL', KEYS[5], id)\n"                                     \
    "  return 1\n"                                                            \
    "end\n"


static const char *const  fwd_lua[FWD_SCRIPT_COUNT] = {

    [FWD_SCRIPT_CLAIM] =
    "local lease = redis.call('GET', KEYS[1])\n"
    "redis.call('PERSIST', KEYS[2])\n"
    "local previous = 0\n"
    "if lease then\n"
    "  local epoch, name = string.match(lease, '^(%d+) (.*)$')\n"
    "  if name == ARGV[2] and epoch == ARGV[1] then\n"
    "    redis.call('PEXPIRE', KEYS[1], ARGV[3])\n"
    "    return { 1, tonumber(epoch), 0 }\n"
    "  end\n"
    "  if not (name == ARGV[2] and ARGV[4] == '1') then\n"
    "    return { 0, lease, redis.call('PTTL', KEYS[1]) }\n"
    "  end\n"
    "  previous = tonumber(epoch)\n"
    "end\n"
    "local epoch = redis.call('INCR', KEYS[2])\n"

    /* the key was deleted: an epoch that somebody had must not come back */

    "if epoch <= tonumber(ARGV[1]) then\n"
    "  epoch = tonumber(ARGV[1]) + 1\n"
    "  redis.call('SET', KEYS[2], string.format('%d', epoch))\n"
    "end\n"
    "redis.call('SET', KEYS[1], string.format('%d %s', epoch, ARGV[2]),\n"
    "           'PX', ARGV[3])\n"
    "return { 1, epoch, previous }\n",

    [FWD_SCRIPT_RENEW] =
    FWD_LUA_FENCE
    "return redis.call('PEXPIRE', KEYS[1], ARGV[2])\n",

    [FWD_SCRIPT_RELEASE] =
    FWD_LUA_FENCE
    "return redis.call('DEL', KEYS[1])\n",

    /*
     * Redis 6.2 answers entries that are gone as ids like any other; they
     * are found when they are read.  From 7.0 on they are the third element
     * and no longer pending, so here is the last place to see them.
     */

    [FWD_SCRIPT_RECOVER] =
    FWD_LUA_FENCE
    FWD_LUA_BEFORE
    FWD_LUA_PERMIT
    FWD_LUA_COUNT
    "local made = 0\n"
    "local r = redis.pcall('XGROUP', 'CREATE', KEYS[3], ARGV[2], '0',\n"
    "                      'MKSTREAM')\n"
    "if not r.err then\n"
    "  made = 1\n"
    "elseif not string.find(r.err, 'BUSYGROUP', 1, true) then\n"
    "  return r\n"
    "end\n"

    /*
     * A watermark above all that the stream has ever had is of a stream that
     * was deleted, or of a master that had more than its successor.  Entries
     * below it would be taken for routed ones, so it goes: what was routed and
     * is pending all the same comes twice, and nothing is lost.
     */

    "local reset = ''\n"
    "local last = redis.call('HGET', KEYS[2], 'last')\n"
    "if last and string.find(last, '^%d+-%d+$') then\n"
    "  local info = redis.call('XINFO', 'STREAM', KEYS[3])\n"
    "  for i = 1, #info, 2 do\n"
    "    if info[i] == 'last-generated-id' and before(info[i + 1], last)\n"
    "    then\n"
    "      redis.call('HDEL', KEYS[2], 'last')\n"
    "      count('reset', 1)\n"
    "      reset = last .. ' ' .. info[i + 1]\n"
    "    end\n"
    "  end\n"
    "end\n"
    "local c = redis.call('XAUTOCLAIM', KEYS[3], ARGV[2], ARGV[3], 0,\n"
    "                     ARGV[4], 'COUNT', ARGV[5], 'JUSTID')\n"
    "local gone = c[3] or {}\n"
    "for _, id in ipairs(gone) do\n"
    "  redis.call('XADD', KEYS[4], '*', 'event', id, 'id', '', 'src', '',\n"
    "             'e', '', 'reason', 'missing', 'status', 0,\n"
    "             'attempts', 0, 'at', ARGV[6])\n"
    "end\n"
    "count('bad', #gone)\n"
    "if c[1] == '0-0' then\n"

    /* names of dead processes would pile up; only empty ones may go */

    "  for _, info in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[3],\n"
    "                                   ARGV[2])) do\n"
    "    local name, pending\n"
    "    for i = 1, #info, 2 do\n"
    "      if info[i] == 'name' then name = info[i + 1] end\n"
    "      if info[i] == 'pending' then pending = info[i + 1] end\n"
    "    end\n"
    "    if pending == 0 and name ~= ARGV[3] then\n"
    "      redis.call('XGROUP', 'DELCONSUMER', KEYS[3], ARGV[2], name)\n"
    "    end\n"
    "  end\n"
    "end\n"
    "return { c[1], #c[2], #gone, made, reset }\n",

    /*
     * Entries are routed in the order of their IDs, so "last" says which ones
     * were.  An older entry can be pending all the same: a stopped owner that
     * woke up has read it.  Then nothing is done but to say so.
     *
     * Everything that can be of a wrong type is looked at before the first
     * write.  What q refuses after that (its last ID is greater: the stream
     * was deleted, or a clock went back) is no sign of having been routed:
     * it goes to retry, due now.
     */

    [FWD_SCRIPT_ROUTE] =
    FWD_LUA_FENCE
    FWD_LUA_BEFORE
    "local n = tonumber(ARGV[4])\n"
    "local p = redis.call('XPENDING', KEYS[3], ARGV[2])\n"
    "if p[2] and before(p[2], ARGV[5]) then return 'PENDING' end\n"
    "local last = redis.call('HGET', KEYS[2], 'last')\n"
    "if last and not before(last, ARGV[5]) then\n"
    "  local k = 1\n"
    "  while k < n and not before(last, ARGV[5 + k]) do k = k + 1 end\n"
    "  redis.call('XACK', KEYS[3], ARGV[2], unpack(ARGV, 5, 4 + k))\n"
    "  return { -1, k }\n"
    "end\n"
    "local fault\n"
    "local function check(...)\n"
    "  local r = redis.pcall(...)\n"
    "  if type(r) == 'table' and r.err then fault = r end\n"
    "end\n"
    "local at = 5 + n\n"
    "local bad = tonumber(ARGV[at])\n"
    "local links = tonumber(ARGV[at + 1 + 5 * bad])\n"
    "if bad > 0 then check('XLEN', KEYS[4]) end\n"
    "if links > 0 then check('HLEN', KEYS[5]) end\n"
    "check('STRLEN', KEYS[6])\n"
    "for k = 7, #KEYS, 2 do\n"
    "  check('XLEN', KEYS[k])\n"
    "  check('ZCARD', KEYS[k + 1])\n"
    "end\n"
    "if fault then return fault end\n"
    FWD_LUA_PERMIT
    FWD_LUA_COUNT
    "for i = at + 1, at + 5 * bad, 5 do\n"
    "  redis.call('XADD', KEYS[4], '*', 'event', ARGV[i],\n"
    "             'id', ARGV[i + 1], 'src', ARGV[i + 2],\n"
    "             'e', ARGV[i + 3], 'reason', ARGV[i + 4],\n"
    "             'status', 0, 'attempts', 0, 'at', ARGV[3])\n"
    "end\n"
    "at = at + 2 + 5 * bad\n"
    "local relinked = 0\n"
    "for i = at, at + 2 * links - 1, 2 do\n"
    "  local old = redis.call('HGET', KEYS[5], ARGV[i])\n"
    "  if old ~= ARGV[i + 1] then\n"
    "    if old then relinked = relinked + 1 end\n"
    "    redis.call('HSET', KEYS[5], ARGV[i], ARGV[i + 1])\n"
    "  end\n"
    "end\n"
    "count('relinked', relinked)\n"
    "at = at + 2 * links\n"
    "local answer = { n, 0 }\n"
    "if ARGV[at] ~= '' then\n"
    "  answer[2] = redis.call('APPEND', KEYS[6], ARGV[at])\n"
    "  redis.call('PEXPIRE', KEYS[6], ARGV[at + 1])\n"
    "end\n"
    "at = at + 2\n"
    "local function put(k, j)\n"
    "  local r = redis.pcall('XADD', KEYS[k], ARGV[4 + j], '', '')\n"
    "  if type(r) == 'table' then\n"
    "    redis.call('ZADD', KEYS[k + 1], ARGV[3], ARGV[4 + j])\n"
    "    answer[#answer + 1] = (k - 5) / 2\n"
    "    answer[#answer + 1] = j\n"
    "  end\n"
    "end\n"
    "for k = 7, #KEYS, 2 do\n"
    "  if ARGV[at] == '*' then\n"
    "    for j = 1, n do put(k, j) end\n"
    "    at = at + 1\n"
    "  else\n"
    "    local last = at + tonumber(ARGV[at])\n"
    "    for i = at + 1, last do put(k, tonumber(ARGV[i])) end\n"
    "    at = last + 1\n"
    "  end\n"
    "end\n"
    "redis.call('XACK', KEYS[3], ARGV[2], unpack(ARGV, 5, 4 + n))\n"
    "redis.call('HSET', KEYS[2], 'last', ARGV[4 + n])\n"
    "for i = at, #ARGV, 2 do\n"
    "  redis.call('HINCRBY', KEYS[2], ARGV[i], ARGV[i + 1])\n"
    "end\n"
    "return answer\n",

    /*
     * A group has one end, one source and the sum of its digests.  Its ids
     * go to XDEL all at once, and what was not in q is looked for in retry:
     * mostly that is all of the group, or none of it (a repeat).  When it is
     * told that a repeat may be under way (a lost answer), or that other
     * events are in the group now, each id is looked at by itself.  A part
     * that is missing all the same was taken away by somebody else: what was
     * there is counted, and the digests tell the difference.
     */

    [FWD_SCRIPT_FINISH] =
    FWD_LUA_FENCE
    FWD_LUA_PERMIT
    FWD_LUA_COUNT
    FWD_LUA_DIGEST
    FWD_LUA_TAKE
    "local i, sum = 3, 0\n"
    "local tried = redis.call('EXISTS', KEYS[5]) == 1\n"
    "while i < #ARGV do\n"
    "  local n = tonumber(ARGV[i + 4])\n"
    "  local from, to = i + 5, i + 4 + n\n"
    "  local field = ':' .. ARGV[2] .. ':' .. ARGV[i + 1]\n"
    "  local digest, took = tonumber(ARGV[i + 2]), 0\n"
    "  if ARGV[i + 3] == '1' then\n"
    "    digest = 0\n"
    "    for j = from, to do\n"
    "      if take(ARGV[j]) == 1 then\n"
    "        took = took + 1\n"
    "        digest = digest + h(ARGV[j])\n"
    "      end\n"
    "    end\n"
    "  else\n"
    "    took = redis.call('XDEL', KEYS[3], unpack(ARGV, from, to))\n"
    "    if took < n then\n"
    "      took = took + redis.call('ZREM', KEYS[4],\n"
    "                               unpack(ARGV, from, to))\n"
    "    end\n"

    /* also of what was in q: order may have kept it there once */

    "    if tried then\n"
    "      redis.call('HDEL', KEYS[5], unpack(ARGV, from, to))\n"
    "    end\n"
    "    if took == 0 then digest = 0 end\n"
    "  end\n"
    "  count(ARGV[i] .. field, took)\n"
    "  add(ARGV[i] .. '~' .. field, digest)\n"
    "  sum = sum + took\n"
    "  i = to + 1\n"
    "end\n"
    "return sum\n",

    /* the due time tells a repeat: no two attempts of an event share one */

    [FWD_SCRIPT_RETRY] =
    FWD_LUA_FENCE
    FWD_LUA_PERMIT
    FWD_LUA_COUNT
    "local n = 0\n"
    "for i = 3, #ARGV, 3 do\n"
    "  local id = ARGV[i]\n"
    "  local due = redis.call('ZSCORE', KEYS[4], id)\n"
    "  if redis.call('XDEL', KEYS[3], id) == 1\n"
    "     or (due and tonumber(due) ~= tonumber(ARGV[i + 1]))\n"
    "  then\n"
    "    redis.call('ZADD', KEYS[4], ARGV[i + 1], id)\n"
    "    if ARGV[i + 2] ~= '' then\n"
    "      redis.call('HSET', KEYS[5], id, ARGV[i + 2])\n"
    "      n = n + 1\n"
    "    end\n"
    "  end\n"
    "end\n"
    "count('retry:' .. ARGV[2], n)\n"
    "return n\n",

    [FWD_SCRIPT_DEAD] =
    FWD_LUA_FENCE
    "redis.call('XLEN', KEYS[6])\n"
    FWD_LUA_PERMIT
    FWD_LUA_COUNT
    FWD_LUA_DIGEST
    FWD_LUA_TAKE
    "local names = { 'id', 'src', 'e', 'reason', 'class', 'status',\n"
    "                'attempts', 'first_at', 'at', 'history', 'request',\n"
    "                'answer', 'versions', 'hint', 'replays' }\n"
    "local n = 0\n"
    "for i = 3, #ARGV, #names + 1 do\n"
    "  if take(ARGV[i]) == 1 then\n"
    "    local fields = { 'event', ARGV[i] }\n"
    "    for j, name in ipairs(names) do\n"
    "      fields[2 * j + 1] = name\n"
    "      fields[2 * j + 2] = ARGV[i + j]\n"
    "    end\n"
    "    redis.call('XADD', KEYS[6], '*', unpack(fields))\n"
    "    local field = ':' .. ARGV[2] .. ':' .. ARGV[i + 2]\n"
    "    count('dead' .. field, 1)\n"
    "    add('dead~' .. field, h(ARGV[i]))\n"
    "    n = n + 1\n"
    "  end\n"
    "end\n"
    "return n\n",

    /* The number of attempts tells whether it has run before. */

    [FWD_SCRIPT_KEEP] =
    FWD_LUA_FENCE
    FWD_LUA_PERMIT
    FWD_LUA_COUNT
    "local n = 0\n"
    "for i = 3, #ARGV, 2 do\n"
    "  local id = ARGV[i]\n"
    "  local old = redis.call('HMGET', KEYS[5], id)[1] or '0'\n"
    "  if tonumber(string.match(old, '^%d+'))\n"
    "     < tonumber(string.match(ARGV[i + 1], '^%d+'))\n"
    "     and (#redis.call('XRANGE', KEYS[3], id, id) == 1\n"
    "          or redis.call('ZSCORE', KEYS[4], id))\n"
    "  then\n"
    "    redis.call('HSET', KEYS[5], id, ARGV[i + 1])\n"
    "    n = n + 1\n"
    "  end\n"
    "end\n"
    "count('retry:' .. ARGV[2], n)\n"
    "return n\n",

    /*
     * Keys are looked at before anything is written: one of a wrong type
     * must not leave an event in neither place.
     */

    [FWD_SCRIPT_MOVE] =
    FWD_LUA_FENCE
    "redis.call('HLEN', KEYS[5])\n"
    "redis.call('XLEN', KEYS[6])\n"
    "redis.call('XLEN', KEYS[7])\n"
    "redis.call('XLEN', KEYS[8])\n"
    "redis.call('ZCARD', KEYS[9])\n"
    FWD_LUA_PERMIT
    FWD_LUA_TAKE
    "local sums = {}\n"
    "local function add(name, source, id)\n"
    "  local ms, seq = string.match(id, '^(%d+)-(%d+)$')\n"
    "  local h = ((tonumber(ms) % 2097152) * 1103515245\n"
    "             + (tonumber(seq) % 65536) * 2654435761) % 4294967296\n"
    "  local field = name .. ':' .. source\n"
    "  sums[field] = (sums[field] or 0) + 1\n"
    "  field = string.gsub(name, ':', '~:', 1) .. ':' .. source\n"
    "  sums[field] = (sums[field] or 0) + h\n"
    "end\n"
    "local function source(id)\n"
    "  local e = redis.call('XRANGE', KEYS[6], id, id)[1]\n"
    "  if e then\n"
    "    for i = 1, #e[2], 2 do\n"
    "      if e[2][i] == 'src' then return e[2][i + 1] end\n"
    "    end\n"
    "  end\n"
    "  return ''\n"
    "end\n"
    "local moved, routed = 0, 0\n"
    "for i = 5, #ARGV do\n"
    "  local id = ARGV[i]\n"
    "  if take(id) == 1 then\n"
    "    local src = source(id)\n"
    "    moved = moved + 1\n"
    "    add('moved:' .. ARGV[2], src, id)\n"
    "    if #redis.call('XRANGE', KEYS[7], id, id) == 0\n"
    "       and #redis.call('XRANGE', KEYS[8], id, id) == 0\n"
    "       and not redis.call('ZSCORE', KEYS[9], id)\n"
    "    then\n"
    "      redis.call('ZADD', KEYS[9], ARGV[4], id)\n"
    "      routed = routed + 1\n"
    "      add('routed:' .. ARGV[3], src, id)\n"
    "    else\n"
    "      add('joined:' .. ARGV[3], src, id)\n"
    "    end\n"
    "  end\n"
    "end\n"
    "for field, n in pairs(sums) do\n"
    "  redis.call('HINCRBY', KEYS[2], field, string.format('%.0f', n))\n"
    "end\n"
    "return { moved, routed }\n",

    [FWD_SCRIPT_TRIM] =
    FWD_LUA_FENCE
    FWD_LUA_BEFORE
    "local keep\n"
    "local function hold(id)\n"
    "  if id and (not keep or before(id, keep)) then keep = id end\n"
    "end\n"
    "for _, info in ipairs(redis.call('XINFO', 'GROUPS', KEYS[2])) do\n"
    "  local name, last\n"
    "  for i = 1, #info, 2 do\n"
    "    if info[i] == 'name' then name = info[i + 1] end\n"
    "    if info[i] == 'last-delivered-id' then last = info[i + 1] end\n"
    "  end\n"
    "  if name == ARGV[2] then keep = last end\n"
    "end\n"
    "if not keep then return { 0, '' } end\n"

    /* the last delivered one is routed unless it is pending: see below */

    "local ms, seq = string.match(keep, '^(%d+)-(%d+)$')\n"
    "if #seq < 15 then\n"
    "  keep = ms .. '-' .. string.format('%d', tonumber(seq) + 1)\n"
    "end\n"
    "hold(redis.call('XPENDING', KEYS[2], ARGV[2])[2])\n"
    "for i = 3, #KEYS do\n"
    "  local e = redis.call('XRANGE', KEYS[i], '-', '+', 'COUNT', 1)[1]\n"
    "  hold(e and e[1])\n"
    "end\n"
    "for i = 3, #ARGV do hold(ARGV[i]) end\n"
    "return { redis.call('XTRIM', KEYS[2], 'MINID', keep), keep }\n",

    /*
     * A field is the end of a slot in Unix ms; its tokens may reach the
     * vendor until then, and count for a window from then on.  What asks for
     * more than the whole limit waits until nothing else counts.  Slots far
     * ahead are of a server whose clock was: they cannot hold us up so long.
     */

    [FWD_SCRIPT_LIMIT] =
    "local t = redis.call('TIME')\n"
    "local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"
    "local answer, grants, ends = { now, 0 }, {}, {}\n"
    "local at, wait = 1, 0\n"
    "for k, key in ipairs(KEYS) do\n"
    "  local a = {}\n"
    "  for i = 1, 7 do a[i] = tonumber(ARGV[at + i - 1]) end\n"
    "  local max, window, hold, width, least, most, n = unpack(a)\n"
    "  redis.call('PERSIST', key)\n"
    "  for i = at + 7, at + 5 + 2 * n, 2 do\n"
    "    if redis.call('HINCRBY', key, ARGV[i], ARGV[i + 1]) <= 0 then\n"
    "      redis.call('HDEL', key, ARGV[i])\n"
    "    end\n"
    "  end\n"
    "  at = at + 7 + 2 * n\n"
    "  local sum, slots = 0, {}\n"
    "  local all = redis.call('HGETALL', key)\n"
    "  for i = 1, #all, 2 do\n"
    "    local last = tonumber(all[i])\n"
    "    if last > now + hold + 60000 then last = now + hold end\n"
    "    if last + window <= now then\n"
    "      redis.call('HDEL', key, all[i])\n"
    "    else\n"
    "      sum = sum + tonumber(all[i + 1])\n"
    "      slots[#slots + 1] = { last, tonumber(all[i + 1]) }\n"
    "    end\n"
    "  end\n"
    "  local free = math.max(max - sum, 0)\n"
    "  if least > max and sum == 0 then free = least end\n"
    "  if free < least then\n"
    "    local left = math.min(least - free, sum)\n"
    "    table.sort(slots, function(x, y) return x[1] < y[1] end)\n"
    "    for _, slot in ipairs(slots) do\n"
    "      wait = math.max(wait, slot[1] + window - now)\n"
    "      left = left - slot[2]\n"
    "      if left <= 0 and least <= max then break end\n"
    "    end\n"
    "  end\n"
    "  grants[k] = math.min(free, most)\n"
    "  ends[k] = string.format('%.0f',\n"
    "    math.ceil((now + hold) / width) * width)\n"
    "  redis.call('PEXPIRE', key, string.format('%.0f',\n"
    "    2 * (window + hold) + 60000))\n"
    "end\n"
    "answer[2] = wait\n"
    "if wait > 0 then return answer end\n"
    "for k, key in ipairs(KEYS) do\n"
    "  if grants[k] > 0 then\n"
    "    redis.call('HINCRBY', key, ends[k],\n"
    "      string.format('%.0f', grants[k]))\n"
    "  end\n"
    "  answer[k + 2] = grants[k]\n"
    "end\n"
    "return answer\n",

    [FWD_SCRIPT_HOLD] =
    "local hold = redis.call('HGET', KEYS[1], 'hold')\n"
    "if hold and tonumber(hold) >= tonumber(ARGV[1]) then return 0 end\n"
    "redis.call('PERSIST', KEYS[1])\n"
    "redis.call('HSET', KEYS[1], 'hold', ARGV[1])\n"
    "return 1\n",

    [FWD_SCRIPT_TOKEN] =
    "local t = redis.call('TIME')\n"
    "local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"
    "redis.call('PERSIST', KEYS[1])\n"
    "local h = redis.call('HMGET', KEYS[1], 'generation', 'sealed')\n"
    "local gen = tonumber(h[1] or '0')\n"
    "if gen > tonumber(ARGV[1]) then\n"
    "    return {'token', gen, h[2] or '', now}\n"
    "end\n"
    "if redis.call('SET', KEYS[2], ARGV[2], 'NX', 'PX', ARGV[3]) then\n"
    "    return {'lock', gen, h[2] or '', now}\n"
    "end\n"
    "return {'wait', redis.call('PTTL', KEYS[2])}\n",

    [FWD_SCRIPT_TOKEN_STORE] =
    "redis.call('PERSIST', KEYS[1])\n"
    "local stored = 0\n"
    "local gen = tonumber(redis.call('HGET', KEYS[1], 'generation') or '0')\n"
    "if tonumber(ARGV[2]) > gen then\n"
    "    redis.call('HSET', KEYS[1], 'generation', ARGV[2],\n"
    "               'sealed', ARGV[3])\n"
    "    stored = 1\n"
    "elseif tonumber(ARGV[2]) == gen\n"
    "    and redis.call('HGET', KEYS[1], 'sealed') == ARGV[3] then\n"
    "    stored = 1\n"
    "end\n"
    "if redis.call('GET', KEYS[2]) == ARGV[1] then\n"
    "    redis.call('DEL', KEYS[2])\n"
    "end\n"
    "return stored\n",

    /* the first write is one that a full Redis permits, as above */

    [FWD_SCRIPT_BEAT] =
    "local t = redis.call('TIME')\n"
    "local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"
    "redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf',\n"
    "           string.format('%d', now))\n"
    "if ARGV[2] == '0' then\n"
    "  redis.call('ZREM', KEYS[1], ARGV[1])\n"
    "else\n"
    "  redis.call('ZADD', KEYS[1], string.format('%d', now + ARGV[2]),\n"
    "             ARGV[1])\n"
    "end\n"
    "return redis.call('ZRANGE', KEYS[1], 0, -1)\n",

    [FWD_SCRIPT_DEPTH] =
    "local answer = {}\n"
    "local function first(key)\n"
    "  local e = redis.call('XRANGE', key, '-', '+', 'COUNT', 1)[1]\n"
    "  return e and e[1] or ''\n"
    "end\n"
    "answer[1] = redis.call('XLEN', KEYS[1])\n"
    "answer[2] = answer[1] > 0 and first(KEYS[1]) or ''\n"
    "for i = 2, #KEYS, 3 do\n"
    "  local n = #answer\n"
    "  answer[n + 1] = redis.call('XLEN', KEYS[i])\n"
    "  answer[n + 2] = redis.call('XLEN', KEYS[i + 1])\n"
    "  answer[n + 3] = redis.call('ZCARD', KEYS[i + 2])\n"
    "  answer[n + 4] = answer[n + 1] > 0 and first(KEYS[i]) or ''\n"
    "  answer[n + 5] = answer[n + 2] > 0 and first(KEYS[i + 1]) or ''\n"
    "end\n"
    "return answer\n"
};


const char *const *
fwd_lua_texts(void)
{
    return fwd_lua;
}
