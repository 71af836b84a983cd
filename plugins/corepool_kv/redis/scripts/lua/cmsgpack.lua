-- The library `cmsgpack` (lua-cmsgpack 0.4.0): MessagePack.

local python = ...
local byte, char, concat, error, floor, format = string.byte, string.char, table.concat, error, math.floor, string.format
local next, pcall, select, sub, tostring, type = next, pcall, select, string.sub, tostring, type

local MAX_NESTING = 16

local function big_endian(value, bytes)
  local out = {}
  for place = bytes, 1, -1 do
    out[place] = char(value % 256)
    value = floor(value / 256)
  end
  return concat(out)
end

local function packed_integer(value)
  if value >= 0 then
    if value <= 127 then return char(value) end
    if value <= 255 then return "\204" .. char(value) end
    if value <= 65535 then return "\205" .. big_endian(value, 2) end
    if value <= 4294967295 then return "\206" .. big_endian(value, 4) end
    return "\207" .. big_endian(value, 8)
  end
  if value >= -32 then return char(256 + value) end
  if value >= -128 then return "\208" .. char(256 + value) end
  if value >= -32768 then return "\209" .. big_endian(65536 + value, 2) end
  if value >= -2147483648 then return "\210" .. big_endian(4294967296 + value, 4) end
  return "\211" .. python.pack(">q", value)
end

local function packed_number(value)
  if value == floor(value) and value >= -9223372036854775808 and value < 9223372036854775808 then
    return packed_integer(value)
  end
  return python.pack_float(value)
end

local function packed_string(value)
  local size = #value
  if size < 32 then return char(160 + size) .. value end
  if size <= 255 then return "\217" .. char(size) .. value end
  if size <= 65535 then return "\218" .. big_endian(size, 2) .. value end
  return "\219" .. big_endian(size, 4) .. value
end

local function is_array(value)
  local count, most = 0, 0
  for key in next, value do
    if type(key) ~= "number" or key <= 0 or key ~= floor(key) then
      return false
    end
    count = count + 1
    most = key > most and key or most
  end
  return count == most, count
end

local function head(size, fixed, of16, of32)
  if size <= 15 then return char(fixed + size) end
  if size <= 65535 then return of16 .. big_endian(size, 2) end
  return of32 .. big_endian(size, 4)
end

local function append(value, out, level)
  local kind = type(value)
  if kind == "table" and level == MAX_NESTING then
    kind = "nil"
  end
  if kind == "string" then
    out[#out + 1] = packed_string(value)
  elseif kind == "number" then
    out[#out + 1] = packed_number(value)
  elseif kind == "boolean" then
    out[#out + 1] = value and "\195" or "\194"
  elseif kind ~= "table" then
    out[#out + 1] = "\192"
  else
    local yes, count = is_array(value)
    if yes then
      out[#out + 1] = head(count, 144, "\220", "\221")
      for place = 1, count do
        append(value[place], out, level + 1)
      end
    else
      count = 0
      for _ in next, value do
        count = count + 1
      end
      out[#out + 1] = head(count, 128, "\222", "\223")
      for key, each in next, value do
        append(key, out, level + 1)
        append(each, out, level + 1)
      end
    end
  end
end

local function number_at(text, at, bytes)
  local value = 0
  for place = at, at + bytes - 1 do
    value = value * 256 + (byte(text, place) or error("Missing bytes in input.", 0))
  end
  return value, at + bytes
end

local function part(text, at, size)
  if at + size - 1 > #text then
    error("Missing bytes in input.", 0)
  end
  return sub(text, at, at + size - 1), at + size
end

local read

local function read_array(text, at, count)
  local items = {}
  for place = 1, count do
    items[place], at = read(text, at)
  end
  return items, at
end

local function read_map(text, at, count)
  local items = {}
  for _ = 1, count do
    local key, value
    key, at = read(text, at)
    value, at = read(text, at)
    if key ~= nil then
      items[key] = value
    end
  end
  return items, at
end

local function read_number(text, at, code, bytes)
  local piece
  piece, at = part(text, at, bytes)
  return python.unpack(code, piece), at
end

local FIXED = {
  [192] = function(_, at) return nil, at end,
  [194] = function(_, at) return false, at end,
  [195] = function(_, at) return true, at end,
  [202] = function(text, at) return read_number(text, at, ">f", 4) end,
  [203] = function(text, at) return read_number(text, at, ">d", 8) end,
  [204] = function(text, at) return number_at(text, at, 1) end,
  [205] = function(text, at) return number_at(text, at, 2) end,
  [206] = function(text, at) return number_at(text, at, 4) end,
  [207] = function(text, at) return read_number(text, at, ">Q", 8) end,
  [208] = function(text, at) return read_number(text, at, ">b", 1) end,
  [209] = function(text, at) return read_number(text, at, ">h", 2) end,
  [210] = function(text, at) return read_number(text, at, ">i", 4) end,
  [211] = function(text, at) return read_number(text, at, ">q", 8) end,
}
for code, bytes in next, {[196] = 1, [197] = 2, [198] = 4, [217] = 1, [218] = 2, [219] = 4} do
  FIXED[code] = function(text, at)
    local size
    size, at = number_at(text, at, bytes)
    return part(text, at, size)
  end
end
for code, bytes in next, {[220] = 2, [221] = 4} do
  FIXED[code] = function(text, at)
    local count
    count, at = number_at(text, at, bytes)
    return read_array(text, at, count)
  end
end
for code, bytes in next, {[222] = 2, [223] = 4} do
  FIXED[code] = function(text, at)
    local count
    count, at = number_at(text, at, bytes)
    return read_map(text, at, count)
  end
end

function read(text, at)
  local code = byte(text, at)
  if code == nil then error("Missing bytes in input.", 0) end
  if code < 128 then return code, at + 1 end
  if code >= 224 then return code - 256, at + 1 end
  if code < 144 then return read_map(text, at + 1, code - 128) end
  if code < 160 then return read_array(text, at + 1, code - 144) end
  if code < 192 then return part(text, at + 1, code - 160) end
  local step = FIXED[code]
  if step == nil then error("Bad data format in input.", 0) end
  return step(text, at + 1)
end

local function caught(ok, ...)
  if not ok then
    error((...), 3)
  end
  return ...
end

local cmsgpack = {
  _NAME = "cmsgpack", _VERSION = "lua-cmsgpack 0.4.0", _COPYRIGHT = "Copyright (C) 2012, Salvatore Sanfilippo",
  _DESCRIPTION = "MessagePack C implementation for Lua",
}

function cmsgpack.pack(...)
  local count = select("#", ...)
  if count == 0 then
    error("bad argument #0 to 'pack' (MessagePack pack needs input.)", 2)
  end
  local out = {}
  for place = 1, count do
    append((select(place, ...)), out, 0)
  end
  return concat(out)
end

local function texts(name, count, text)
  if type(text) == "number" then
    text = tostring(text)
  end
  if type(text) ~= "string" then
    error(format("bad argument #1 to '%s' (string expected, got %s)", name, count < 1 and "no value" or type(text)), 3)
  end
  return text
end

local function all(text)
  local values, count, at = {}, 0, 1
  while at <= #text do
    count = count + 1
    values[count], at = read(text, at)
  end
  return unpack(values, 1, count)
end

function cmsgpack.unpack(...)
  local text = texts("unpack", select("#", ...), (...))
  return caught(pcall(all, text))
end

local function some(text, limit, offset)
  if offset < 0 or limit < 0 then
    error(format("Invalid request to unpack with offset of %d and limit of %d.", offset, #text), 0)
  end
  if offset > #text then
    error(format("Start offset %d greater than input length %d.", offset, #text), 0)
  end
  local values, count, at = {}, 1, offset + 1
  while at <= #text and count <= limit do
    count = count + 1
    values[count], at = read(text, at)
  end
  values[1] = at > #text and -1 or at - 1
  return unpack(values, 1, count)
end

function cmsgpack.unpack_one(...)
  local text, offset = texts("unpack_one", select("#", ...), (...)), select(2, ...)
  return caught(pcall(some, text, 1, offset or 0))
end

function cmsgpack.unpack_limit(...)
  local text, limit, offset = texts("unpack_limit", select("#", ...), (...)), select(2, ...)
  return caught(pcall(some, text, limit, offset or 0))
end

return cmsgpack
