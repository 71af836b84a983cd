-- The library `struct` (Roberto Ierusalimschy's 0.2): binary formats.

local python = ...
local byte, char, concat, error, find, floor = string.byte, string.char, table.concat, error, string.find, math.floor
local format, match, pcall, rep, select, sub = string.format, string.match, pcall, string.rep, select, string.sub
local tonumber, tostring, type, unpack = tonumber, tostring, type, unpack

local MAX_INTEGER, MAX_ALIGN = 32, 8
local SIZES = {b = 1, B = 1, h = 2, H = 2, l = 8, L = 8, T = 8, i = 4, I = 4, f = 4, d = 8}

local function fault(message, argument, name)
  error(argument and format("bad argument #%d to '%s' (%s)", argument, name, message) or message, 0)
end

-- Iterates over a format: option, size, and whether numbers are little-endian; `at` is the place in the data, from 0.
local function options(text, name)
  local place, is_little, align = 1, true, 1
  return function(at)
    while true do
      local option, digits = match(text, "^(.)(%d*)", place)
      if not option then return nil end
      local takes_size = option == "i" or option == "I" or option == "c" or option == "!"
      place = place + 1 + (takes_size and #digits or 0)
      local count = takes_size and tonumber(digits) or nil
      local size = SIZES[option] or 0
      if option == "c" then
        size = count or 1
      elseif option == "i" or option == "I" then
        size = count or 4
        if size > MAX_INTEGER then
          fault(format("integral size %d is larger than limit of %d", size, MAX_INTEGER))
        end
      elseif option == "x" then
        size = 1
      end
      if option == ">" then
        is_little = false
      elseif option == "<" then
        is_little = true
      elseif option == "!" then
        align = count or MAX_ALIGN
        if align < 1 or math.frexp(align) ~= 0.5 then
          fault("alignment is not a power of 2")
        end
      elseif option ~= " " then
        if not SIZES[option] and not find(option, "[xcs]") then
          fault(format("invalid format option '%s'", option), 1, name)
        end
        local padding = 0
        if SIZES[option] and align > 1 and size > 1 then
          local to = size < align and size or align
          if math.frexp(to) ~= 0.5 then to = 1 end
          padding = (to - at % to) % to
        end
        return option, size, is_little, padding
      end
    end
  end
end

local function packed(value, size, is_little)
  local out = {}
  value = value < 0 and -floor(-value) or floor(value)
  local rest = value
  for place = 1, size do
    local digit = rest % 256
    out[is_little and place or size + 1 - place] = char(digit)
    rest = (rest - digit) / 256
  end
  return concat(out)
end

local function number(value, argument)
  local found = tonumber(value)
  if not found or type(value) == "boolean" then
    fault(format("number expected, got %s", value == nil and "no value" or type(value)), argument, "pack")
  end
  return found
end

local function pack(text, ...)
  local out, at, argument = {}, 0, 0
  local values, each = {...}, options(text, "pack")
  while true do
    local option, size, is_little, padding = each(at)
    if not option then return concat(out) end
    local piece
    if option == "x" then
      piece = "\0"
    else
      argument = argument + 1
      local value = values[argument]
      if option == "c" or option == "s" then
        if type(value) == "number" then value = tostring(value) end
        if type(value) ~= "string" then
          fault("string expected, got " .. (value == nil and "no value" or type(value)), argument + 1, "pack")
        end
        if option == "c" and size > #value then
          fault("string too short", argument + 2, "pack")
        end
        piece = option == "s" and value .. "\0" or (size == 0 and value or sub(value, 1, size))
      elseif option == "f" or option == "d" then
        piece = python.pack((is_little and "<" or ">") .. option, number(value, argument + 1))
      else
        piece = packed(number(value, argument + 1), size, is_little)
      end
    end
    out[#out + 1] = rep("\0", padding) .. piece
    at = at + padding + #piece
  end
end

local function integer(text, is_little, is_signed)
  local value, size = 0, #text
  for place = 1, size do
    local digit = byte(text, is_little and size + 1 - place or place)
    if is_signed and place == 1 and digit > 127 then
      digit = digit - 256
    end
    value = value * 256 + digit
  end
  return value
end

local function unpack_from(text, data, from)
  local at, results, count = (from or 1) - 1, {}, 0
  local each = options(text, "unpack")
  if at < 0 then
    fault("offset must be 1 or greater", 3, "unpack")
  end
  while true do
    local option, size, is_little, padding = each(at)
    if not option then break end
    at = at + padding
    if option == "c" and size == 0 then
      size = results[count]
      if type(size) ~= "number" then
        fault("format 'c0' needs a previous size")
      end
      count = count - 1
    end
    if option == "s" then
      local stop = find(data, "\0", at + 1, true)
      if not stop then
        fault("unfinished string in data")
      end
      size = stop - at
    end
    if at + size > #data then
      fault("data string too short", 2, "unpack")
    end
    local piece = sub(data, at + 1, at + size)
    at = at + size
    if option ~= "x" then
      count = count + 1
      if option == "c" then
        results[count] = piece
      elseif option == "s" then
        results[count] = sub(piece, 1, -2)
      elseif option == "f" or option == "d" then
        results[count] = python.unpack((is_little and "<" or ">") .. option, piece)
      else
        results[count] = integer(piece, is_little, find(option, "[bhlTi]") ~= nil and option ~= "T")
      end
    end
  end
  results[count + 1] = at + 1
  return unpack(results, 1, count + 1)
end

local function size_of(text)
  local at, each = 0, options(text, "size")
  while true do
    local option, size, _, padding = each(at)
    if not option then return at end
    if option == "s" then
      fault("variable-size format in 'size'", 1, "size")
    elseif option == "c" and size == 0 then
      fault("variable-length format 'c0'", 1, "size")
    end
    at = at + padding + size
  end
end

local function caught(ok, ...)
  if not ok then
    error((...), 3)
  end
  return ...
end

local function checked(call, name)
  return function(...)
    for place = 1, name == "unpack" and 2 or 1 do
      local value = select(place, ...)
      if type(value) ~= "string" and type(value) ~= "number" then
        local kind = select("#", ...) < place and "no value" or type(value)
        error(format("bad argument #%d to '%s' (string expected, got %s)", place, name, kind), 2)
      end
    end
    return caught(pcall(call, ...))
  end
end

return {pack = checked(pack, "pack"), unpack = checked(unpack_from, "unpack"), size = checked(size_of, "size")}
