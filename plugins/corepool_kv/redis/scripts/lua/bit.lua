-- The library `bit` (bit.c of LuaJIT): numbers are taken modulo 2^32, and results are signed.

local python = ...
local error, format, select, tonumber, type = error, string.format, select, tonumber, type

local function number(name, place, count, value)
  local found = tonumber(value)
  if found == nil or (type(value) ~= "number" and type(value) ~= "string") then
    local kind = place > count and "no value" or type(value)
    error(format("bad argument #%d to '%s' (number expected, got %s)", place, name, kind), 3)
  end
  return found
end

local bit = {}

for _, name in ipairs({"tobit", "bnot", "bswap"}) do
  local compute = python["bit_" .. name]
  bit[name] = function(...)
    return compute(number(name, 1, select("#", ...), (...)))
  end
end

for _, name in ipairs({"lshift", "rshift", "arshift", "rol", "ror"}) do
  local compute = python["bit_" .. name]
  bit[name] = function(...)
    local count, value, by = select("#", ...), ...
    return compute(number(name, 1, count, value), number(name, 2, count, by))
  end
end

for _, name in ipairs({"band", "bor", "bxor"}) do
  local compute = python["bit_" .. name]
  bit[name] = function(...)
    local count, result = select("#", ...), nil
    for place = 1, count > 0 and count or 1 do
      local each = number(name, place, count, (select(place, ...)))
      result = compute(result or each, place == 1 and (name ~= "band" and 0 or -1) or each)
    end
    return result
  end
end

function bit.tohex(...)
  local count, value, digits = select("#", ...), ...
  value = number("tohex", 1, count, value)
  digits = count > 1 and number("tohex", 2, count, digits) or 8
  local text = format(digits < 0 and "%08X" or "%08x", python.bit_tobit(value) % 4294967296)
  digits = digits < 0 and -digits or digits
  return text:sub(-(digits > 8 and 8 or digits), digits < 1 and 0 or -1)
end

return bit
