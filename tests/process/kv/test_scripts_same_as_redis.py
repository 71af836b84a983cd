r"""Scripts are answered as by a real redis-server: values, errors, conversions, and the libraries.

Compared without the line of the script in an error: a call behind `return` leaves no frame in Lua 5.1, and the calls
are functions of Lua here. Left out are scripts that end redis-server 7.0 itself, such as `error({})`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from kv_client import encode

if TYPE_CHECKING:
    from conftest import Pair

CALLS = r"""
return redis.call("set","a",1)
return redis.call("set","a")
return redis.call("SET","a",5) and redis.call("incrby","a",2)
return redis.call()
return redis.call({})
return redis.call("nope")
return redis.pcall("nope")
return redis.pcall()
return redis.call("get","b",true)
return redis.call("set","a",{})
return redis.call("set","a",nil)
return redis.call("nope","a",nil)
return redis.call("lpush","b",1)
return redis.pcall("lpush","b",1)
return tostring(redis.call("get","nokey"))
return redis.call("multi")
return redis.call("EXEC")
return redis.call("subscribe","x")
return redis.call("eval","return 1",0)
return redis.call("script","load","return 1")
return redis.call("auth","x")
return redis.call("client","id")
return redis.call("config","get","save")
return redis.call("function","list")
return redis.call("client")
return redis.call("object","encoding","a")
return redis.call("object","nope","a")
return redis.call("publish","a","b")
return {redis.call("select",3), redis.call("set","in3","x"), redis.call("select",99)}
return {redis.pcall("select",3), redis.call("get","a")}
redis.call("select",3) redis.call("set","x","3") redis.call("select",0) return redis.call("get","x")
return {redis.call("ping"),redis.call("echo","x"),redis.status_reply("x")}
return redis.call("hgetall","nokey")
redis.call("hset","h","f","v") return redis.call("hgetall","h")
redis.call("zadd","z",1.5,"a") return {redis.call("zscore","z","a"), redis.call("zrange","z",0,-1,"withscores")}
redis.call("zadd","z",1.5,"a") return {redis.call("zscore","z","b"), redis.call("zrange","z",0,-1,"withscores")}
redis.call("sadd","s","x") return {redis.call("smembers","s"), redis.call("type","s"), redis.call("spop","none")}
redis.call("rpush","l",1,2,3) return {redis.call("lrange","l",0,-1), redis.call("llen","l"), redis.call("mget","a","l")}
local t=redis.call("time") return {type(t),#t,type(t[1])}
redis.call("incr","b")
local ok,e=pcall(redis.call,"nope") return {type(e), e}
local ok,e=pcall(redis.call,"lpush","b",1) return e
local ok,e=xpcall(function() return redis.call("nope") end, function(x) return type(x) end) return e
local e,r=redis.pcall("nope"),{} for k,v in pairs(e) do table.insert(r,k.."="..tostring(v)) end table.sort(r) return r
return {pcall(redis.call,"incr","n")}
return coroutine.wrap(function() return redis.call("ping") end)()
redis.call("set","a","kept") error("x")
redis.call("set","a","kept") redis.call("nope")
return redis.acl_check_cmd("get","x")
"""
VALUES = r"""
return nil
return
return 3.99
return -3.9
return 1e300
return 1/0
return 0/0
return -1/0
return "x"
return true
return false
return {}
return {1,2,nil,4}
return {1,{2,{3,"x"}},false,true}
return {1.5,{2.5},"3.5"}
return {ok="fine"}
return {ok="a\nb"}
return {ok=1}
return {err="boom"}
return {err="MY boom"}
return {err="a\nb\r\n"}
return {err=""}
return {err=1}
return {double=3.5}
return {map={a=1}}
return {set={a=true}}
return {big_number="123"}
return {verbatim_string={format="txt",string="x"}}
return function() end
return cjson.null
return setmetatable({},{__index=function() return 5 end})
return redis.call("echo",1e20)
return redis.call("echo",3.5)
return redis.call("echo",0.1)
return redis.call("echo",1/0)
return redis.call("echo",0/0)
return redis.call("echo",9007199254740993)
return redis.call("echo",1e15)
return {tostring(1e15),tostring(0.1),tostring(1/0),tostring(-1e300),10/3 ..""}
return {KEYS, ARGV, #KEYS, #ARGV}
KEYS[1]=5 ARGV[1]=6 return {KEYS[1],ARGV[1]}
local t={} for i=1,10 do t={t} end return t
redis.setresp(3) return {redis.call("get","nokey") == nil, true, false}
redis.setresp(3) redis.call("zadd","z",1.5,"a") return tostring(redis.call("zscore","z","a").double)
redis.setresp(3) redis.call("hset","h","f","v") return {redis.call("hgetall","h").map.f, redis.call("hgetall","h")}
redis.setresp(3) redis.call("sadd","s","x") return {redis.call("smembers","s").set.x, redis.call("smembers","s")}
redis.setresp(3) redis.call("zadd","z",1.5,"a") return redis.call("zrange","z",0,-1,"withscores")
"""
ERRORS = r"""
syntax error here
return y
x=1
error("x")
error("MY error")
error("a\nb")
error({err="FOO bar"})
error()
error(nil)
local a = nil; a.b()
return redis.error_reply("x")
return redis.error_reply("-x y")
return redis.error_reply("-x")
return redis.error_reply("MY x\r\n")
return redis.error_reply("ERR x","y")
return redis.error_reply()
return redis.status_reply("fine")
return redis.status_reply()
return redis.sha1hex("")
return redis.sha1hex()
return redis.sha1hex(1)
return redis.setresp(3)
return redis.setresp(4)
return redis.setresp()
return redis.breakpoint()
return redis.debug("x")
return redis.replicate_commands()
return redis.set_repl(redis.REPL_ALL)
return redis.set_repl(77)
redis.log(redis.LOG_WARNING,"x")
redis.log("x")
redis.log(10,"x")
return redis.register_function("x",function() end)
return {pcall(error,{err="MY x"})}
return {pcall(error,{1,2})}
local ok,e=pcall(error,"x") return {type(e), e}
local ok,e=pcall(pairs,"x") return ok
return print
return os
return getfenv
setfenv(1,{})
string.x=1
_G.x=1
rawset(_G,"x",1)
setmetatable(_G,{})
getmetatable(_G).__index=nil
getmetatable("").__index=nil
return {type(getmetatable(_G)), tostring(getmetatable("").__index==string), ("x"):upper(), _VERSION}
local n={} for k in pairs(redis) do n[#n+1]=k end table.sort(n) return n
local n={} for k in pairs(math) do n[#n+1]=k end table.sort(n) return n
local n={} for k in pairs(cjson) do n[#n+1]=k end table.sort(n) return n
return loadstring("return 1")()
return loadstring("return redis.call('ping')")()
return {loadstring("x y z")}
return load(function() return nil end)()
return coroutine.running()
return collectgarbage("count")>0
return {collectgarbage("stop"),collectgarbage("restart")}
return {type(redis),next({}),rawget(redis,"LOG_WARNING"),select("#",1,2),unpack({1,2,3})}
local t={3,1,2} table.sort(t,function(a,b) return a>b end) return t
return {string.format("%5.2f|%d|%s|%q",1/3,5.9,"x","y\n"),("a,b"):gsub(",",";"),tonumber("0x10"),tonumber("z",36)}
return {math.floor(-1.5),math.max(1,2),math.fmod(5,3),math.huge>1,#string.rep("a",1000)}
#!lua\nreturn 1
#!lua flags=no-writes\nreturn redis.call("set","a",1)
#!lua flags=no-writes\nreturn redis.call("get","a")
#!lua flags=no-writes,allow-oom\nreturn redis.call("publish","a","b")
#!lua flags=\nreturn redis.call("get","a")
#!python\n1
#!lua flags=foo\nreturn 1
#!lua name=x\nreturn 1
#!lua
"""
CJSON = r"""
return cjson.encode({})
return cjson.encode({1,2,{a=1.5}})
return cjson.encode({a={}, })
return cjson.encode("x/y\"\\\n\1\127é\0z")
return cjson.encode({[1]=1,[3]=3})
return cjson.encode({[1]=1,[30]=3})
return cjson.encode({[1.5]=1})
return cjson.encode({[true]=1})
return cjson.encode(1/0)
return cjson.encode(0.1)..cjson.encode(1e20)..cjson.encode(123456789012345678)..cjson.encode(-5)
return cjson.encode()
return cjson.encode(nil)
return cjson.encode("x","y")
return cjson.encode({type})
return cjson.encode(function() end)
return cjson.encode({true,false,cjson.null})
local t={} for i=1,1001 do t={t} end return cjson.encode(t)
return cjson.decode("")
return cjson.decode("[1,]")
return cjson.decode("{\"a\":1,}")
return cjson.decode("{\"a\" 1}")
return cjson.decode("{\"a\":1 \"b\":2}")
return cjson.decode("[1 2]")
return cjson.decode("tru")
return cjson.decode("1 2")
return cjson.decode("\"abc")
return cjson.decode("\"a\0bc\"")
return cjson.decode("\"\\x\"")
return cjson.decode("\"\\u12\"")
return cjson.decode("\"\\ud83d\\ude00\\u00e9\\u20ac\\n\\/\"")
return cjson.decode("\"\\ud83d\"")
return cjson.decode(string.rep("[",1001)..string.rep("]",1001))
return cjson.decode(1)
return cjson.decode({})
return cjson.decode("@")
return cjson.decode("a\0b")
return cjson.decode("\0")
return cjson.decode("[1.5e3, -2, 01]")
return cjson.decode("-")
return cjson.decode("+1")
return cjson.decode("[")
return cjson.decode("{")
return cjson.decode("{1:2}")
return cjson.decode("]")
return cjson.decode(" [ true , false , null ] ")
return {tostring(cjson.decode("-inf")),tostring(cjson.decode("0x10")),tostring(cjson.decode("Infinity"))}
return {cjson.decode("[1,null]")[2]==cjson.null, type(cjson.null), cjson.decode("{\"a\":[1,{\"b\":2}]}").a[2].b}
return cjson.encode(cjson.decode("[1,2,{\"a\":null}]"))
return {cjson.encode_max_depth(),cjson.decode_max_depth(),cjson.encode_number_precision(),cjson.encode_keep_buffer()}
return {cjson.encode_sparse_array()}
return {type(cjson.new()),cjson._VERSION,cjson._NAME}
"""
LIBRARIES = r"""
return cmsgpack.pack(1,"a",{1,2},{a=1},nil,true,1.5,0.1,-1,-200,300,70000,5000000000,-5000000000)
return cmsgpack.pack({}) .. cmsgpack.pack({[1]=1,[3]=3}) .. cmsgpack.pack(string.rep("x",40)) .. cmsgpack.pack(2^53)
return cmsgpack.pack(1e300,1/0,-32,-33,127,128)
return cmsgpack.pack(string.rep("x",300),string.rep("y",70000))
return cmsgpack.pack(-128,-129,-32768,-32769,-2147483648,-2147483649,255,256,65535,65536,4294967295,4294967296)
return {cmsgpack.unpack(cmsgpack.pack(1,"a",{1,2},{a={b=2}},false,-5,-500,-70000,-5000000000,3.5,string.rep("x",300)))}
return cmsgpack.pack()
return cmsgpack.unpack("\193")
return cmsgpack.unpack("\165ab")
return cmsgpack.unpack("\146\1")
return cmsgpack.unpack("")
return {cmsgpack.unpack_one(cmsgpack.pack(1,2,3))}
return {cmsgpack.unpack_one(cmsgpack.pack(1,2,3),1)}
return {cmsgpack.unpack_one(cmsgpack.pack(1,2,3),2)}
return {cmsgpack.unpack_one(cmsgpack.pack(1,2,3),20)}
return {cmsgpack.unpack_limit(cmsgpack.pack(1,2,3),2)}
return {cmsgpack.unpack_limit(cmsgpack.pack(1,2,3),2,1)}
return {cmsgpack.unpack_limit("",2,0)}
return cmsgpack.unpack(1)
return cmsgpack.unpack()
local t=1 for i=1,20 do t={t} end return cmsgpack.pack(t)
return cmsgpack.pack(function() end, cjson.null)
return {bit.band(0xff,0x0f),bit.bor(1,2,4),bit.bxor(5,1),bit.bnot(0),bit.lshift(1,31),bit.rshift(-1,1)}
return {bit.rol(1,33),bit.ror(1,1),bit.bswap(1),bit.tobit(2^32+5),bit.tobit(-1.5),bit.tobit(2.5),bit.lshift(1,33)}
return {bit.tohex(255),bit.tohex(255,4),bit.tohex(255,-4),bit.tohex(-1),bit.arshift(-8,1),bit.band(7),bit.bor(-1)}
return bit.band()
return bit.band("a")
return bit.band("3",1)
return bit.lshift(1)
local f = ">I2i4d" return {struct.pack(f,"1",-2,0.5),struct.size(f),struct.unpack(f,struct.pack(f,"1",-2,0.5))}
return {struct.pack("<Bhc0s!8bLf",200,-2,"hello","zs",5,77,1.5)}
return {struct.unpack("Bc0","\3abcde")}
return {struct.unpack("s","abc\0de")}
return struct.unpack("I4","ab")
return struct.pack("z",1)
return {struct.unpack("<i8",struct.pack("<i8",-5))}
return {struct.pack("c3","abcdef"),struct.pack("xb",1)}
return struct.pack("i33",1)
return struct.unpack("s","abc")
return struct.pack("c3","ab")
"""
SCRIPTS = [line for text in (CALLS, VALUES, ERRORS, CJSON, LIBRARIES) for line in text.strip().split("\n")]

BEGIN = [("FLUSHALL",), ("SET", "a", "10"), ("SET", "b", "hello")]


def without_places(reply: bytes) -> bytes:
    return re.sub(rb"(, on @user_script:\d+)?\.(?=\r\n)", b"", re.sub(rb"user_script:\d+: ", b"", reply))


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_is_answered_as_by_redis(pair: Pair, script: str) -> None:
    text = script.replace("\\n", "\n") if script.startswith("#!") else script
    requests = [*BEGIN, ("EVAL", text, 2, "k1", "k2", "arg", "5"), ("MGET", "a", "b"), ("SELECT", 3), ("KEYS", "*")]
    expected, got = pair.ask(b"".join(map(encode, requests)))
    assert without_places(got) == without_places(expected)


@pytest.mark.parametrize("script", VALUES.strip().split("\n"))
def test_a_script_is_answered_in_resp3_as_by_redis(pair: Pair, script: str) -> None:
    expected, got = pair.ask(b"".join(map(encode, [("HELLO", 3), *BEGIN, ("EVAL", script, 1, "k", "arg")])))
    rest_of = re.compile(rb".*\+OK\r\n\+OK\r\n\+OK\r\n", re.DOTALL)  # behind HELLO
    assert without_places(rest_of.sub(b"", got)) == without_places(rest_of.sub(b"", expected))


COMMANDS = [
    [("EVAL",)],
    [("EVAL", "return 1")],
    [("EVAL", "return 1", "x")],
    [("EVAL", "return 1", "-1")],
    [("EVAL", "return 1", "3", "a")],
    [("EVALSHA", "0" * 40, "0")],
    [("EVALSHA", "x", "0")],
    [("EVAL", "return 7", 0), ("EVALSHA", "2a2a7ba2ce8fe0ed9b2e0b4ddb2c4de3b8dd8fc8", "0")],
    [("SCRIPT", "LOAD", "return ARGV[1]"), ("EVALSHA", "098E0F0D1448C0A81DAFE820F66D460EB09263DA", "0", "x")],
    [("SCRIPT", "LOAD", "return 1"), ("SCRIPT", "EXISTS", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db", "x")],
    [("SCRIPT", "LOAD", "return 1"), ("SCRIPT", "FLUSH"), ("EVALSHA", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db", "0")],
    [("SCRIPT", "LOAD", "not lua")],
    [("SCRIPT", "LOAD")],
    [("SCRIPT", "FLUSH", "x")],
    [("SCRIPT", "FLUSH", "SYNC", "x")],
    [("SCRIPT", "KILL")],
    [("SCRIPT", "NOTHING")],
    [("EVAL_RO", "return redis.call('get','a')", 0)],
    [("EVAL_RO", "return redis.call('set','a','b')", 0)],
    [
        ("SCRIPT", "LOAD", "return redis.call('incr','a')"),
        ("EVALSHA_RO", "18b8af4ae3b8d4d0be6c1ba4a3f2f5a5bb6a0d8b", 0),
    ],
    [("MULTI",), ("EVAL", "return redis.call('incr','a')", 0), ("INCR", "a"), ("EVAL", "error('x')", 0), ("EXEC",)],
    [("MULTI",), ("EVAL", "return 1"), ("EXEC",)],
    [("MULTI",), ("SCRIPT", "LOAD", "return 1"), ("SCRIPT", "EXISTS", "x"), ("EXEC",)],
    [("COMMAND", "GETKEYS", "EVAL", "x", "2", "a", "b", "c")],
]


@pytest.mark.parametrize("requests", COMMANDS)
def test_commands_of_scripts_are_answered_as_by_redis(pair: Pair, requests: list[tuple[object, ...]]) -> None:
    expected, got = pair.ask(b"".join(map(encode, [("SCRIPT", "FLUSH"), *BEGIN, *requests])))
    assert without_places(got) == without_places(expected)
