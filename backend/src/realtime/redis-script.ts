/**
 * How real-time state lies in Redis. One script does all of a flush or, when the same flush comes again (an engine that takes a
 * partition over repeats the last one), nothing; so sums may be plain additions, and after an absence everything of the last
 * two minutes is simply told again.
 *
 *     <prefix>:flush:<name>        this flush was counted
 *     <prefix>:seconds             sorted set: windows that have rates
 *     <prefix>:rate:<start>        hash: <width> <probe> -> packets bytes
 *     <prefix>:windows             sorted set: windows that have hosts
 *     <prefix>:hosts:<start>       hash: address -> bytes and packets sent and received, latest ms; '' -> width, left out
 *     <prefix>:probes, :engines    sorted set: id -> when it was last heard of
 *     <prefix>:probe:<id>          hash: <partition> -> flows, latest ms; '' -> source
 *     <prefix>:engine:<id>         JSON
 *
 * Every key expires. Names in a script are built from the prefix, so all keys have to lie in one server (or one slot of a
 * cluster: a prefix like `{netspectra}`).
 */

/** Windows of rates and of hosts that are listed: those of two minutes, and of one, with room for a few that overlap. */
const secondsMax = 240;
const hostWindowsMax = 64;
const hostsPerWindowMax = 16_384;
const probesMax = 1_024;

/** KEYS: prefix. ARGV: flush as JSON (numbers as texts), TTL, TTL of probes. Returns 1, or 0 for a repeated flush. */
export const observeFlushScript = `
local p, ttl, probeTtl = KEYS[1] .. ':', tonumber(ARGV[2]), tonumber(ARGV[3])
local f = cjson.decode(ARGV[1])
if not redis.call('SET', p .. 'flush:' .. f.name, '1', 'NX', 'EX', ttl) then return 0 end
local now = redis.call('TIME')
local latest = tonumber(now[1]) + 60
local function add(key, field, values, max)
  local old = redis.call('HGET', key, field)
  if not old and max and redis.call('HLEN', key) >= max then return false end
  local sums, i = {}, 1
  for number in string.gmatch(old or '', '%d+') do sums[i] = tonumber(number); i = i + 1 end
  for j = 1, #values do
    local sum
    if j == 5 then sum = math.max(sums[j] or 0, tonumber(values[j])) else sum = (sums[j] or 0) + tonumber(values[j]) end
    values[j] = string.format('%.0f', sum)
  end
  redis.call('HSET', key, field, table.concat(values, ' '))
  return true
end
local function list(set, member, max)
  redis.call('ZADD', p .. set, member, member)
  redis.call('ZREMRANGEBYRANK', p .. set, 0, -max - 1)
  redis.call('EXPIRE', p .. set, ttl)
end
for _, c in ipairs(f.counters) do
  if tonumber(c[1]) <= latest then
    local key = p .. 'rate:' .. c[1]
    add(key, c[2] .. ' ' .. f.probe, {c[3], c[4]}, ${probesMax})
    redis.call('EXPIRE', key, ttl)
    list('seconds', c[1], ${secondsMax})
  end
end
local seen = {}
for _, h in ipairs(f.hosts) do
  if tonumber(h[1]) <= latest then
    local key = p .. 'hosts:' .. h[1]
    local kept = add(key, h[2], {h[3], h[4], h[5], h[6], h[7]}, ${hostsPerWindowMax})
    if not kept or f.leftOut or not seen[key] then
      local old = redis.call('HGET', key, '')
      local left = (not kept or f.leftOut or (old and string.sub(old, -1) == '1')) and '1' or '0'
      redis.call('HSET', key, '', f.width .. ' ' .. left)
    end
    if not seen[key] then
      seen[key] = true
      redis.call('EXPIRE', key, ttl)
      list('windows', h[1], ${hostWindowsMax})
    end
  end
end
local probe = p .. 'probe:' .. f.probe
redis.call('HSET', probe, '', f.source, f.partition, f.flows .. ' ' .. f.last)
redis.call('EXPIRE', probe, probeTtl)
redis.call('ZADD', p .. 'probes', now[1], f.probe)
redis.call('ZREMRANGEBYSCORE', p .. 'probes', '-inf', tonumber(now[1]) - probeTtl)
redis.call('ZREMRANGEBYRANK', p .. 'probes', 0, -${probesMax} - 1)
redis.call('EXPIRE', p .. 'probes', ttl)
return 1`;

/** KEYS: prefix. ARGV: id, beat as JSON, TTL of engines, TTL. */
export const observeEngineScript = `
local p = KEYS[1] .. ':'
redis.call('SET', p .. 'engine:' .. ARGV[1], ARGV[2], 'EX', tonumber(ARGV[3]))
local now = redis.call('TIME')[1]
redis.call('ZADD', p .. 'engines', now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', p .. 'engines', '-inf', tonumber(now) - tonumber(ARGV[3]))
redis.call('ZREMRANGEBYRANK', p .. 'engines', 0, -${probesMax} - 1)
redis.call('EXPIRE', p .. 'engines', tonumber(ARGV[4]))
return 1`;
