-- The library `cjson` (lua-cjson 2.1.0): JSON.

local null = ...
local byte, char, concat, error, find, floor = string.byte, string.char, table.concat, error, string.find, math.floor
local format, gsub, lower, match, next, pcall = string.format, string.gsub, string.lower, string.match, next, pcall
local select, setmetatable, sub, tonumber, tostring, type = select, setmetatable, string.sub, tonumber, tostring, type

local ESCAPES = {
  ['"'] = '\\"', ["\\"] = "\\\\", ["/"] = "\\/", ["\b"] = "\\b", ["\t"] = "\\t", ["\n"] = "\\n", ["\f"] = "\\f",
  ["\r"] = "\\r",
}
for code = 0, 127 do
  if (code < 32 or code == 127) and not ESCAPES[char(code)] then
    ESCAPES[char(code)] = format("\\u%04x", code)
  end
end
local UNESCAPED = {
  ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", t = "\t", n = "\n", f = "\f", r = "\r",
}
local NOT_PLAIN = '[%c"\\/\127]'

local function quoted(text)
  if find(text, NOT_PLAIN) then
    text = gsub(text, "[%z\1-\31\"\\/\127]", ESCAPES)
  end
  return '"' .. text .. '"'
end

-- Encoding

local function written(value, config)
  if value ~= value or value == math.huge or value == -math.huge then
    if config.encode_invalid_numbers == "null" then
      return "null"
    end
    if not config.encode_invalid_numbers then
      error("Cannot serialise number: must not be NaN or Inf", 0)
    end
  end
  return format(config.number, value)
end

-- The length of an array; nil: it is an object.
local function length(value, config)
  local most, items = 0, 0
  for key in next, value do
    if type(key) ~= "number" or key < 1 or key ~= floor(key) then
      return nil
    end
    most = key > most and key or most
    items = items + 1
  end
  if config.sparse_ratio > 0 and most > items * config.sparse_ratio and most > config.sparse_safe then
    if not config.sparse_convert then
      error("Cannot serialise table: excessively sparse array", 0)
    end
    return nil
  end
  return most > 0 and most or nil
end

local append

local function append_object(value, out, config, depth)
  local separator = "{"
  for key, each in next, value do
    local kind = type(key)
    if kind == "string" then
      key = quoted(key)
    elseif kind == "number" then
      key = '"' .. written(key, config) .. '"'
    else
      error("Cannot serialise " .. kind .. ": table key must be a number or string", 0)
    end
    out[#out + 1] = separator
    out[#out + 1] = key
    out[#out + 1] = ":"
    append(each, out, config, depth)
    separator = ","
  end
  out[#out + 1] = separator == "{" and "{}" or "}"
end

function append(value, out, config, depth)
  local kind = type(value)
  if kind == "string" then
    out[#out + 1] = quoted(value)
  elseif kind == "number" then
    out[#out + 1] = written(value, config)
  elseif kind == "boolean" then
    out[#out + 1] = value and "true" or "false"
  elseif value == nil or value == null then
    out[#out + 1] = "null"
  elseif kind ~= "table" then
    error("Cannot serialise " .. kind .. ": type not supported", 0)
  else
    depth = depth + 1
    if depth > config.encode_max_depth then
      error(format("Cannot serialise, excessive nesting (%d)", depth), 0)
    end
    local count = length(value, config)
    if not count then
      return append_object(value, out, config, depth)
    end
    for place = 1, count do
      out[#out + 1] = place == 1 and "[" or ","
      append(value[place], out, config, depth)
    end
    out[#out + 1] = "]"
  end
end

-- Decoding

local function fail(expected, found, at)
  error(format("Expected %s but found %s at character %d", expected, found, at), 0)
end

local function utf8(code)
  if code < 128 then return char(code) end
  if code < 2048 then return char(192 + floor(code / 64), 128 + code % 64) end
  if code < 65536 then
    return char(224 + floor(code / 4096), 128 + floor(code / 64) % 64, 128 + code % 64)
  end
  return char(240 + floor(code / 262144), 128 + floor(code / 4096) % 64, 128 + floor(code / 64) % 64, 128 + code % 64)
end

-- An escaped character of UTF-16 in front of `at`: its bytes, and where it ends; nil: it is none.
local function unescaped(text, at)
  local code = tonumber(match(text, "^%x%x%x%x", at) or "", 16)
  if not code then return nil end
  if code < 0xD800 or code > 0xDFFF then return utf8(code), at + 4 end
  local second = tonumber(match(text, "^\\u(%x%x%x%x)", at + 4) or "", 16)
  if code > 0xDBFF or not second or second < 0xDC00 or second > 0xDFFF then return nil end
  return utf8(0x10000 + (code - 0xD800) * 1024 + (second - 0xDC00)), at + 10
end

-- The string that begins behind the quote at `from`, and the place behind it; nil, a fault and its place.
local function read_string(text, from)
  local stop = find(text, '["\\%z]', from + 1)
  if stop and byte(text, stop) == 34 then
    return sub(text, from + 1, stop - 1), stop + 1
  end
  local pieces, at = {}, from + 1
  while stop do
    pieces[#pieces + 1] = sub(text, at, stop - 1)
    local mark = byte(text, stop)
    if mark == 34 then
      return concat(pieces), stop + 1
    elseif mark == 0 then
      break
    end
    local escape = sub(text, stop + 1, stop + 1)
    if escape == "u" then
      pieces[#pieces + 1], at = unescaped(text, stop + 2)
      if not at then return nil, "invalid unicode escape code", stop end
    else
      if not UNESCAPED[escape] then return nil, "invalid escape code", stop end
      pieces[#pieces + 1], at = UNESCAPED[escape], stop + 2
    end
    stop = find(text, '["\\%z]', at)
  end
  return nil, "unexpected end of string", stop or #text + 1
end

local SIGNS = {
  ["{"] = "T_OBJ_BEGIN", ["}"] = "T_OBJ_END", ["["] = "T_ARR_BEGIN", ["]"] = "T_ARR_END", [","] = "T_COMMA",
  [":"] = "T_COLON", [""] = "T_END", ["\0"] = "T_END",
}
local WORDS = {["true"] = true, ["false"] = false, ["null"] = null}

-- The token at or behind `at`: its kind, its value, where it begins, and the place behind it.
local function token(text, at, config)
  at = find(text, "[^ \t\r\n]", at) or #text + 1
  local first = sub(text, at, at)
  if SIGNS[first] then
    return SIGNS[first], nil, at, at + 1
  end
  if first == '"' then
    local value, behind, place = read_string(text, at)
    if not value then
      return behind, nil, place, place
    end
    return "T_STRING", value, at, behind
  end
  for word, value in next, WORDS do
    if sub(text, at, at + #word - 1) == word then
      local kind = word == "null" and "T_NULL" or "T_BOOLEAN"
      return kind, value, at, at + #word
    end
  end
  local digits = match(text, "^[+-]?0[xX]%x+", at) or match(text, "^[+-]?%d+%.?%d*[eE][+-]?%d+", at)
    or match(text, "^[+-]?%d+%.?%d*", at) or match(text, "^[+-]?%.%d+[eE][+-]?%d+", at) or match(text, "^[+-]?%.%d+", at)
  if digits and config.decode_invalid_numbers or (digits and find(digits, "^-?%d") and not find(digits, "^-?0%w")) then
    return "T_NUMBER", tonumber(digits), at, at + #digits
  end
  if config.decode_invalid_numbers then
    local sign, word = match(text, "^([+-]?)(%a+)", at)
    word = word and lower(word) or ""
    for name, value in next, {infinity = math.huge, inf = math.huge, nan = 0 / 0} do
      if sub(word, 1, #name) == name and (name ~= "inf" or sub(word, 1, 8) ~= "infinity") then
        if name == "nan" then value = -value end
        return "T_NUMBER", sign == "-" and -value or value, at, at + #sign + #name
      end
    end
  end
  return find(first, "[-+%d]") and "invalid number" or "invalid token", nil, at, at
end

local read

local function read_array(text, at, config, depth)
  local items, count = {}, 0
  local kind, value, begin, behind = token(text, at, config)
  if kind == "T_ARR_END" then
    return items, behind
  end
  while true do
    count = count + 1
    items[count], behind = read(kind, value, begin, behind, text, config, depth)
    kind, value, begin, behind = token(text, behind, config)
    if kind == "T_ARR_END" then
      return items, behind
    end
    if kind ~= "T_COMMA" then
      fail("comma or array end", kind, begin)
    end
    kind, value, begin, behind = token(text, behind, config)
  end
end

local function read_object(text, at, config, depth)
  local items = {}
  local kind, name, begin, behind = token(text, at, config)
  if kind == "T_OBJ_END" then
    return items, behind
  end
  while true do
    if kind ~= "T_STRING" then
      fail("object key string", kind, begin)
    end
    local value
    kind, value, begin, behind = token(text, behind, config)
    if kind ~= "T_COLON" then
      fail("colon", kind, begin)
    end
    kind, value, begin, behind = token(text, behind, config)
    items[name], behind = read(kind, value, begin, behind, text, config, depth)
    kind, name, begin, behind = token(text, behind, config)
    if kind == "T_OBJ_END" then
      return items, behind
    end
    if kind ~= "T_COMMA" then
      fail("comma or object end", kind, begin)
    end
    kind, name, begin, behind = token(text, behind, config)
  end
end

local PLAIN = {T_STRING = true, T_NUMBER = true, T_BOOLEAN = true, T_NULL = true}

function read(kind, value, begin, behind, text, config, depth)
  if PLAIN[kind] then
    return value, behind
  end
  if kind ~= "T_OBJ_BEGIN" and kind ~= "T_ARR_BEGIN" then
    fail("value", kind, begin)
  end
  depth = depth + 1
  if depth > config.decode_max_depth then
    error(format("Found too many nested data structures (%d) at character %d", depth, begin), 0)
  end
  return (kind == "T_OBJ_BEGIN" and read_object or read_array)(text, behind, config, depth)
end

local function decoded(text, config)
  if #text >= 2 and (byte(text, 1) == 0 or byte(text, 2) == 0) then
    error("JSON parser does not support UTF-16 or UTF-32", 0)
  end
  local kind, value, begin, behind = token(text, 1, config)
  value, behind = read(kind, value, begin, behind, text, config, 0)
  kind, _, begin = token(text, behind, config)
  if kind ~= "T_END" then
    fail("the end", kind, begin)
  end
  return value
end

-- Settings: each function sets what it gets, and returns what is set then.

local function bounded(config, library, name, key, least, most)
  library[name] = function(value)
    if value ~= nil then
      if type(value) ~= "number" or value < least or value > most then
        error(format("bad argument #1 to '%s' (expected integer between %d and %d)", name, least, most), 2)
      end
      config[key] = value
    end
    return config[key]
  end
end

local function make()
  local config = {
    encode_max_depth = 1000, decode_max_depth = 1000, number = "%.14g", precision = 14, keep_buffer = true,
    encode_invalid_numbers = false, decode_invalid_numbers = true, sparse_convert = false, sparse_ratio = 2, sparse_safe = 10,
  }
  local cjson = {_NAME = "cjson", _VERSION = "2.1.0", null = null, new = make}
  bounded(config, cjson, "encode_max_depth", "encode_max_depth", 1, 1000)
  bounded(config, cjson, "decode_max_depth", "decode_max_depth", 1, 1000)

  function cjson.encode(...)
    if select("#", ...) ~= 1 then
      error("bad argument #1 to 'encode' (expected 1 argument)", 2)
    end
    local out = {}
    local ok, fault = pcall(append, (...), out, config, 0)
    if not ok then
      error(fault, 2)
    end
    return concat(out)
  end

  function cjson.decode(...)
    local text = ...
    if select("#", ...) ~= 1 then
      error("bad argument #1 to 'decode' (expected 1 argument)", 2)
    end
    if type(text) ~= "string" and type(text) ~= "number" then
      error("bad argument #1 to 'decode' (string expected, got " .. type(text) .. ")", 2)
    end
    local ok, value = pcall(decoded, tostring(text), config)
    if not ok then
      error(value, 2)
    end
    return value
  end

  function cjson.encode_number_precision(digits)
    if digits ~= nil then
      if type(digits) ~= "number" or digits < 1 or digits > 14 then
        error("bad argument #1 to 'encode_number_precision' (expected integer between 1 and 14)", 2)
      end
      config.precision, config.number = digits, format("%%.%dg", digits)
    end
    return config.precision
  end

  function cjson.encode_keep_buffer(value)
    if value ~= nil then config.keep_buffer = value and value ~= "off" end
    return config.keep_buffer
  end

  function cjson.encode_invalid_numbers(value)
    if value ~= nil then
      config.encode_invalid_numbers = value == "null" and "null" or (value ~= "off" and value ~= false)
    end
    return config.encode_invalid_numbers
  end

  function cjson.decode_invalid_numbers(value)
    if value ~= nil then config.decode_invalid_numbers = value ~= "off" and value ~= false end
    return config.decode_invalid_numbers
  end

  function cjson.encode_sparse_array(convert, ratio, safe)
    if convert ~= nil then config.sparse_convert = convert and convert ~= "off" end
    config.sparse_ratio, config.sparse_safe = ratio or config.sparse_ratio, safe or config.sparse_safe
    return config.sparse_convert, config.sparse_ratio, config.sparse_safe
  end

  return cjson
end

return make
