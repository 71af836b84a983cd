-- Requests of which no two are alike: wrk -s differing.lua URL -- KIND FIRST
--
-- KIND "greeting": the path and one header differ. "browser": the seven headers of a browser, of which the path, the
-- cookie and the request's id differ. FIRST is the number of the first request; a run begins where no other has been,
-- so that no cache of the server's knows its requests. Only what differs is put together anew for each request.

local KINDS = {
  greeting = { "X-Request-ID: 7f9c2ba4e88f-" },
  browser = {
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
      .. "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
      .. "Accept-Language: en-US,en;q=0.5\r\n"
      .. "Accept-Encoding: gzip, deflate, br\r\n"
      .. "Cookie: session=0123456789abcdef0123",
    "\r\nX-Request-ID: 7f9c2ba4e88f-",
  },
}

local number, first, second

function init(arguments)
  local kind = KINDS[arguments[1]]
  number = tonumber(arguments[2])
  first = " HTTP/1.1\r\nHost: " .. wrk.headers["Host"] .. "\r\n" .. kind[1]
  second = kind[2]
end

function request()
  number = number + 1
  if second then
    return "GET /item/" .. number .. first .. number .. second .. number .. "\r\n\r\n"
  end
  return "GET /item/" .. number .. first .. number .. "\r\n\r\n"
end
