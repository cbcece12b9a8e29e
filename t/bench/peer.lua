-- The peer of the benchmark: the same job by lua-nginx-module and lua-cjson.
--
-- Decodes the body, checks what a track event needs, builds the canonical
-- members, adds the event to the stream of its shard over pooled connections
-- in plain RESP, and answers when Redis has replied.  It does less than the
-- module: no limits, no correction of clocks, no check for duplicate members.

local cjson = require "cjson"

local _M = {}

local types = {
    track = true, identify = true, page = true, screen = true, group = true,
    alias = true,
}

local tags = {}

for i = 0, 15 do
    tags[i] = string.format("{mt:%02d}:in", i)
end


local function refuse(text)
    ngx.status = 400
    ngx.say('{"success":false,"message":"', text, '"}')
    return ngx.exit(400)
end


local function iso8601(now)
    return os.date("!%Y-%m-%dT%H:%M:%S", math.floor(now))
           .. string.format(".%03dZ", now * 1000 % 1000)
end


local function xadd(address, key, id, source, text)
    local socket = ngx.socket.tcp()

    local host, port = address:match("^([%d.]+):(%d+)$")
    local options = { pool = "redis", pool_size = 128 }
    local ok, err

    if host then
        ok, err = socket:connect(host, tonumber(port), options)
    else
        ok, err = socket:connect(address, options)
    end

    if not ok then
        return nil, err
    end

    local sent
    sent, err = socket:send({
        "*11\r\n$4\r\nXADD\r\n$", #key, "\r\n", key, "\r\n$1\r\n*\r\n",
        "$1\r\nv\r\n$1\r\n1\r\n",
        "$2\r\nid\r\n$", #id, "\r\n", id, "\r\n",
        "$3\r\nsrc\r\n$", #source, "\r\n", source, "\r\n",
        "$1\r\ne\r\n$", #text, "\r\n", text, "\r\n",
    })
    if not sent then
        return nil, err
    end

    local line
    line, err = socket:receive("*l")
    if not line then
        return nil, err
    end

    if line:byte(1) ~= 36 then      -- "$"
        return nil, line
    end

    line, err = socket:receive(tonumber(line:sub(2)) + 2)
    if not line then
        return nil, err
    end

    socket:setkeepalive(60000, 128)

    return true
end


function _M.collect(address, kind)
    ngx.req.read_body()

    local body = ngx.req.get_body_data()
    if not body then
        return refuse("no body")
    end

    local ok, event = pcall(cjson.decode, body)
    if not ok or type(event) ~= "table" then
        return refuse("not JSON")
    end

    if event.type ~= nil and event.type ~= kind then
        return refuse("type mismatch")
    end

    if not types[kind] or type(event.event) ~= "string" then
        return refuse("event not defined")
    end

    local id = event.anonymousId or event.userId
    if type(id) ~= "string" then
        return refuse("no user or anonymous id")
    end

    local now = iso8601(ngx.now())

    event.type = kind
    event.writeKey = nil
    event.messageId = event.messageId or ngx.var.request_id
    event.receivedAt = now
    event.originalTimestamp = event.originalTimestamp or event.timestamp
    event.timestamp = now

    local context = event.context or {}

    context.martech = {
        v = 1, source = "web", requestId = ngx.var.request_id,
        dialect = "segment",
    }

    if not context.ip then
        context.ip = ngx.var.remote_addr
    end

    event.context = context

    local key = tags[ngx.crc32_short(id) % 16]
    local err

    ok, err = xadd(address, key, event.messageId, "web", cjson.encode(event))

    if not ok then
        ngx.log(ngx.ERR, "xadd: ", err)
        return ngx.exit(503)
    end

    ngx.header["Content-Type"] = "application/json"
    ngx.print('{"success":true}')
end


return _M
