-- The world of scripts: Redis's globals, which no script can change, and nothing of Python or the system.
-- Runs once in each runtime, in PUC Lua 5.1. Returns the functions that runtime.py calls.
--
-- python: functions of runtime.py and calls.py. Scripts never see them, nor any other object of Python: without `debug`
--   an upvalue can't be read.
-- soft_kib: memory at which a script has to collect garbage, and ends if that does not help.
-- libraries: cjson, cmsgpack, bit, struct.

local python, soft_kib, libraries = ...
local clock, getinfo, sethook, time = os.clock, debug.getinfo, debug.sethook, os.time
local collect, concat, error, format, type = collectgarbage, table.concat, error, string.format, type
local rawget, select, setmetatable, tostring = rawget, select, setmetatable, tostring
local pcall, xpcall, loadstring, setfenv = pcall, xpcall, loadstring, setfenv

local SCRIPT, FUNCTION = "@user_script", "@user_function"
local WALL_TIME = 4 -- times as long as CPU time: on a busy machine the CPU's would outlast the master's patience
local HOOK_INSTRUCTIONS = 5000
local MAX_DEPTH = 1000

-- Tables that scripts can read and not change: stand-ins, since 5.1 itself has no such thing.

local contents = setmetatable({}, {__mode = "k"})

local function refuse()
  error("Attempt to modify a readonly table", 2)
end

local function protected(content)
  local stand_in = {}
  contents[stand_in] = content
  local shown = setmetatable({}, {__newindex = refuse, __metatable = false})
  return setmetatable(stand_in, {__index = content, __newindex = refuse, __metatable = shown})
end

-- The end of scripts that take too long. The hook runs after so many instructions; once time is over, after each: so no
-- pcall keeps a script alive. It disarms itself in `run`, when nothing of the script is left.

local deadline, last_second, is_over, is_running, runner = 0, 0, false, false, nil

local function has_time()
  return clock() < deadline and time() <= last_second
end

local function hook()
  if not is_over and has_time() then
    return
  end
  if not is_running or getinfo(2, "f").func == runner then
    sethook()
    return
  end
  is_over = true
  sethook(hook, "", 1)
  error("script timed out", 0)
end

local function arm()
  sethook(hook, "", HOOK_INSTRUCTIONS)
end

-- redis.*

local function problem(message)
  return {err = message}
end

local function end_script(message)
  is_over = true
  sethook(hook, "", 1)
  error(message, 0)
end

-- Called in front of each call of Python, which may take long and return much.
local function check()
  if not has_time() then
    end_script("script timed out")
  end
  if collect("count") > soft_kib then
    collect("collect")
    if collect("count") > soft_kib then
      error("not enough memory", 0)
    end
  end
end

local function take(is_raising, value, kind)
  if kind == nil then
    return value
  end
  if kind == "ok" then
    return {ok = value}
  end
  if kind == "void" then
    end_script(value)
  end
  local reply = {err = value, ignore_error_stats_update = true}
  if is_raising then
    error(reply)
  end
  return reply
end

local redis = {
  LOG_DEBUG = 0, LOG_VERBOSE = 1, LOG_NOTICE = 2, LOG_WARNING = 3,
  REPL_NONE = 0, REPL_AOF = 1, REPL_SLAVE = 2, REPL_REPLICA = 2, REPL_ALL = 3,
  REDIS_VERSION = python.version, REDIS_VERSION_NUM = python.version_number,
}

function redis.call(...)
  check()
  return take(true, python.call(...))
end

function redis.pcall(...)
  check()
  return take(false, python.call(...))
end

function redis.sha1hex(...)
  if select("#", ...) ~= 1 then
    error(problem("ERR wrong number of arguments"))
  end
  check()
  return python.sha1hex(tostring((...)))
end

function redis.error_reply(...)
  local text = ...
  if select("#", ...) ~= 1 or type(text) ~= "string" then
    return problem("ERR wrong number or type of arguments")
  end
  text = text:gsub("[\r\n]+$", ""):gsub("^-", "")
  return {err = text:find(" ", 1, true) and text or "ERR " .. text}
end

function redis.status_reply(...)
  local text = ...
  if select("#", ...) ~= 1 or type(text) ~= "string" then
    return problem("ERR wrong number or type of arguments")
  end
  return {ok = text}
end

function redis.log(level, ...)
  if select("#", ...) < 1 then
    error(problem("ERR redis.log() requires two arguments or more."))
  end
  if type(level) ~= "number" then
    error(problem("ERR First argument must be a number (log level)."))
  end
  if level < 0 or level > 3 then
    error(problem("ERR Invalid debug level."))
  end
  local words = {...}
  for i = 1, select("#", ...) do
    words[i] = type(words[i]) == "string" and words[i] or tostring(words[i])
  end
  check()
  python.log(level, concat(words, " "):sub(1, 1024))
end

function redis.setresp(...)
  if select("#", ...) ~= 1 then
    error(problem("ERR redis.setresp() requires one argument."))
  end
  local version = ...
  if version ~= 2 and version ~= 3 then
    error(problem("ERR RESP version must be 2 or 3."))
  end
  python.setresp(version == 3)
end

function redis.set_repl(...)
  if select("#", ...) ~= 1 then
    error(problem("ERR redis.set_repl() requires two arguments."))
  end
  local flags = ...
  if type(flags) ~= "number" or flags < 0 or flags > 3 then
    error(problem("ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE."))
  end
end

function redis.acl_check_cmd(...)
  check()
  local is_known = python.is_command((...))
  if not is_known then
    error(problem("ERR Invalid command passed to redis.acl_check_cmd()"))
  end
  return true
end

function redis.replicate_commands() return true end
function redis.breakpoint() return false end
function redis.debug() end

-- Lua's own, as far as scripts may have it.

local globals = {
  _VERSION = _VERSION, assert = assert, error = error, ipairs = ipairs, gcinfo = gcinfo, rawequal = rawequal,
  select = select, tonumber = tonumber, tostring = tostring, type = type, unpack = unpack,
}

function globals.pcall(...)
  -- As before Redis 7: a script catches a text.
  local function caught(ok, reason, ...)
    if not ok and type(reason) == "table" and type(reason.err) == "string" then
      return false, reason.err
    end
    return ok, reason, ...
  end
  return caught(pcall(...))
end

-- The handler runs behind the error, not in it: where a hook has raised the error, no other hook would end it.
function globals.xpcall(body, handler)
  local function caught(ok, reason, ...)
    if not ok then
      ok, reason = pcall(handler, reason)
      return false, reason
    end
    return ok, reason, ...
  end
  return caught(pcall(body))
end

function globals.collectgarbage(option)
  if option == "count" then
    return collect("count")
  end
  if option == nil or option == "collect" or option == "step" then
    collect("collect")
  end
  return 0 -- the others would outlive the script
end

local next_of = next
function globals.next(object, key)
  return next_of(contents[object] or object, key)
end

function globals.pairs(object)
  if type(object) ~= "table" then
    error("bad argument #1 to 'pairs' (table expected, got " .. (object == nil and "nil" or type(object)) .. ")", 2)
  end
  return globals.next, object, nil
end

function globals.rawget(object, key)
  return rawget(contents[object] or object, key)
end

local rawset_of = rawset
function globals.rawset(object, key, value)
  if contents[object] then
    error("Attempt to modify a readonly table", 2)
  end
  return rawset_of(object, key, value)
end

globals.getmetatable = getmetatable
function globals.setmetatable(object, meta)
  if contents[object] then
    error("Attempt to modify a readonly table", 2)
  end
  return setmetatable(object, meta)
end

local environment, library_environment
local registered -- the functions of the library that is being loaded

local function load_text(text, name)
  if type(text) == "string" and text:byte() == 27 then
    return nil, "byte code is not loaded"
  end
  local chunk, fault = loadstring(text, name or text)
  if chunk then
    setfenv(chunk, environment)
  end
  return chunk, fault
end

function globals.loadstring(text, name)
  return load_text(text, name)
end

function globals.load(reader, name)
  local pieces = {}
  while true do
    local piece = reader()
    if piece == nil or piece == "" then
      return load_text(concat(pieces), name or "=(load)")
    end
    pieces[#pieces + 1] = piece
  end
end

local create_of, wrap_of = coroutine.create, coroutine.wrap
local function armed(body) -- a coroutine has a hook of its own
  if type(body) ~= "function" then
    error("bad argument #1 (Lua function expected)", 3)
  end
  return function(...)
    arm()
    return body(...)
  end
end
globals.coroutine = protected({
  create = function(body) return create_of((armed(body))) end,
  wrap = function(body) return wrap_of((armed(body))) end,
  resume = coroutine.resume, running = coroutine.running, status = coroutine.status, yield = coroutine.yield,
})

local repeat_of = string.rep
string.dump = nil
string.rep = function(text, count)
  if text == "" then
    return "" -- else a loop in C, which no hook ends
  end
  return repeat_of(text, count)
end
globals.string, globals.table, globals.math = protected(string), protected(table), protected(math)
getmetatable("").__metatable = protected({__index = globals.string})
globals.redis = protected(redis)
for name, library in next, libraries do
  globals[name] = protected(library)
end
setmetatable(globals, {__index = function(_, name)
  error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
end})
environment = protected(globals)
globals._G = environment

-- Libraries of functions, which FUNCTION LOAD runs once: they see one more function.

local library_redis = {}
for name, value in next, redis do
  library_redis[name] = value
end

local function refuse_while_loading(name)
  local call = redis[name]
  library_redis[name] = function(...)
    if registered then
      error(problem("ERR redis." .. name .. " can't be called while a library is loaded"))
    end
    return call(...)
  end
end
refuse_while_loading("call")
refuse_while_loading("pcall")

local function check_callback(name, callback)
  if type(name) ~= "string" then
    error(problem("ERR function_name argument given to redis.register_function must be a string"))
  end
  if type(callback) ~= "function" then
    error(problem("ERR callback argument given to redis.register_function must be a function"))
  end
end

local function read_table(given)
  local name, callback, description, flags
  for key, value in next, given do
    if key == "function_name" then
      name = value
    elseif key == "callback" then
      callback = value
    elseif key == "description" then
      if type(value) ~= "string" then
        error(problem("ERR description argument given to redis.register_function must be a string"))
      end
      description = value
    elseif key == "flags" then
      if type(value) ~= "table" then
        error(problem("ERR flags argument to redis.register_function must be a table representing function flags"))
      end
      flags = value
    else
      error(problem("ERR unknown argument given to redis.register_function"))
    end
  end
  if name == nil then
    error(problem("ERR redis.register_function must get a function name argument"))
  end
  if callback == nil then
    error(problem("ERR redis.register_function must get a callback argument"))
  end
  check_callback(name, callback)
  return name, callback, description, flags
end

function library_redis.register_function(...)
  if not registered then
    error(problem("ERR redis.register_function can only be called on FUNCTION LOAD command"))
  end
  local count, name, callback, description, flags = select("#", ...), ...
  if count < 1 or count > 2 then
    error(problem("ERR wrong number of arguments to redis.register_function"))
  end
  description, flags = nil, nil
  if count == 1 then
    if type(name) ~= "table" then
      error(problem("ERR calling redis.register_function with a single argument is only applicable to Lua table"
        .. " (representing named arguments)."))
    end
    name, callback, description, flags = read_table(name)
  else
    if type(name) ~= "string" then
      error(problem("ERR first argument to redis.register_function must be a string"))
    end
    if type(callback) ~= "function" then
      error(problem("ERR second argument to redis.register_function must be a function"))
    end
  end
  local named = {}
  for index = 1, #(flags or named) do
    if type(flags[index]) ~= "string" then
      error(problem("ERR unknown flag given"))
    end
    named[index] = flags[index]
  end
  local fault = python.check_function(name, concat(named, ","))
  if fault then
    error(problem(fault))
  end
  for index = 1, #registered do
    if registered[index].name == name then
      error(problem("ERR Function already exists in the library"))
    end
  end
  registered[#registered + 1] = {name = name, body = callback, flags = concat(named, ","), description = description}
end

library_environment = protected(setmetatable({redis = protected(library_redis)}, {__index = globals}))

-- Results, as the bytes of a reply.

local function line_of(text)
  return (text:gsub("[\r\n]+$", ""):gsub("[\r\n]", " "))
end

local append

local function append_pairs(value, out, depth, resp3, script_resp3, is_map)
  local count, at = 0, #out + 1
  out[at] = ""
  for key, each in next_of, value do
    count = count + 1
    append(key, out, depth, resp3, script_resp3)
    if is_map then
      append(each, out, depth, resp3, script_resp3)
    end
  end
  if is_map then
    out[at] = (resp3 and "%" or "*") .. format("%d\r\n", resp3 and count or 2 * count)
  else
    out[at] = (resp3 and "~" or "*") .. format("%d\r\n", count)
  end
end

local function append_table(value, out, depth, resp3, script_resp3)
  local found = rawget(value, "err")
  if type(found) == "string" then
    out[#out + 1] = "-" .. line_of(found) .. "\r\n"
    return
  end
  found = rawget(value, "ok")
  if type(found) == "string" then
    out[#out + 1] = "+" .. line_of(found) .. "\r\n"
    return
  end
  found = rawget(value, "double")
  if type(found) == "number" then
    local text = format("%.17g", found)
    out[#out + 1] = resp3 and "," .. text .. "\r\n" or format("$%d\r\n", #text) .. text .. "\r\n"
    return
  end
  for _, name in next_of, {"map", "set"} do
    found = rawget(value, name)
    if type(found) == "table" then
      return append_pairs(found, out, depth, resp3, script_resp3, name == "map")
    end
  end
  found = rawget(value, "big_number")
  if type(found) == "string" then
    found = line_of(found)
    out[#out + 1] = resp3 and "(" .. found .. "\r\n" or format("$%d\r\n", #found) .. found .. "\r\n"
    return
  end
  found = rawget(value, "verbatim_string")
  if type(found) == "table" and type(found.string) == "string" and type(found.format) == "string" then
    local text = resp3 and (found.format .. "   "):sub(1, 3) .. ":" .. found.string or found.string
    out[#out + 1] = format(resp3 and "=%d\r\n" or "$%d\r\n", #text) .. text .. "\r\n"
    return
  end
  local count, at = 0, #out + 1
  out[at] = ""
  while true do
    local each = rawget(value, count + 1)
    if each == nil then
      break
    end
    count = count + 1
    append(each, out, depth, resp3, script_resp3)
  end
  out[at] = format("*%d\r\n", count)
end

function append(value, out, depth, resp3, script_resp3)
  local kind = type(value)
  if kind == "string" then
    out[#out + 1] = format("$%d\r\n", #value)
    out[#out + 1] = value
    out[#out + 1] = "\r\n"
  elseif kind == "number" then
    out[#out + 1] = format(":%d\r\n", value)
  elseif kind == "boolean" and script_resp3 then
    out[#out + 1] = resp3 and (value and "#t\r\n" or "#f\r\n") or (value and ":1\r\n" or ":0\r\n")
  elseif value == true then
    out[#out + 1] = ":1\r\n"
  elseif kind == "table" then
    if depth == MAX_DEPTH then
      out[#out + 1] = "-ERR reached lua stack limit\r\n"
    else
      append_table(value, out, depth + 1, resp3, script_resp3)
    end
  else
    out[#out + 1] = resp3 and "_\r\n" or "$-1\r\n"
  end
end

-- What runtime.py calls.

local function describe(reason)
  if is_over then
    return nil -- runtime.py knows why
  end
  if type(reason) ~= "table" then
    reason = {err = "ERR " .. tostring(reason)}
  end
  local level = 2
  while true do
    local at = getinfo(level, "Sl")
    if at == nil then
      return reason
    end
    if at.source == SCRIPT or at.source == FUNCTION then
      reason.line = at.currentline
      return reason
    end
    level = level + 1
  end
end

local function encoded(value, resp3)
  local out = {}
  append(value, out, 0, resp3, python.has_resp3())
  return concat(out)
end

local function compile(text)
  local chunk, fault = load_text(text, SCRIPT)
  if chunk then
    return chunk
  end
  return nil, fault
end

local function begin(seconds, by)
  runner = by
  is_over, is_running = false, true
  deadline, last_second = clock() + seconds, time() + WALL_TIME * seconds
  arm()
end

-- Returns the encoded reply; or nil, a message and a line; or nil alone: time is over, or the transaction is void.
local run
function run(body, keys, argv, resp3, seconds, is_function)
  local chunk = body
  if is_function then
    function chunk() return body(keys, argv) end
  else
    globals.KEYS, globals.ARGV = keys, argv
  end
  begin(seconds, run)
  local ok, reply = xpcall(chunk, describe)
  if ok then
    ok, reply = pcall(encoded, reply, resp3)
  end
  sethook()
  is_running = false
  globals.KEYS, globals.ARGV = nil, nil
  if is_over then
    return nil
  end
  if ok then
    return reply
  end
  if type(reply) ~= "table" then
    reply = {err = "ERR " .. tostring(reply)}
  end
  local text = rawget(reply, "err")
  return nil, type(text) == "string" and text or "ERR unknown error", rawget(reply, "line")
end

-- Returns the functions of a library, as a table of their names, bodies, flags and descriptions; or nil, a message, and
-- whether it is one of the compiler; or nil alone: time is over.
local load_library
function load_library(text, seconds)
  local chunk, fault = loadstring(text, FUNCTION)
  if not chunk then
    return nil, fault, true
  end
  setfenv(chunk, library_environment)
  registered = {}
  begin(seconds, load_library)
  local ok, reason = pcall(chunk)
  sethook()
  is_running = false
  local found = registered
  registered = nil
  if is_over then
    return nil
  end
  if ok then
    return found
  end
  if type(reason) == "table" then
    reason = rawget(reason, "err")
  end
  return nil, tostring(reason), false
end

-- Collects garbage, also behind a `run` that has failed for want of memory, and returns how many KiB are in use.
local function clean()
  sethook()
  is_running = false
  globals.KEYS, globals.ARGV, registered = nil, nil, nil
  collect("collect")
  return collect("count")
end

return compile, run, clean, load_library
