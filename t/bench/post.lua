-- wrk: posts one of several bodies, made once, in turn; with a pause in
-- milliseconds between two requests of a connection if PAUSE is given.
--
--     wrk ... -s post.lua URL -- PATH FILE [PAUSE [HEADERS]]
--
-- FILE has one body a line, the file HEADERS one more header a line.  The last line printed is for the script that
-- runs it: BENCH, then name=value pairs; latencies in microseconds.

local requests = {}
local turn = 0
local pause = 0


function init(args)
    wrk.method = "POST"
    wrk.headers["Content-Type"] = "application/json"
    wrk.headers["Authorization"] = "Basic d2s6"

    if args[4] then
        for line in io.lines(args[4]) do
            local name, value = line:match("^([^:]+): (.*)$")
            wrk.headers[name] = value
        end
    end

    for body in io.lines(args[2]) do
        requests[#requests + 1] = wrk.format("POST", args[1], nil, body)
    end

    pause = tonumber(args[3]) or 0

    if pause > 0 then
        -- between nothing and twice the mean, so that no rhythm settles
        math.randomseed(1)
        delay = function () return math.random(0, 2 * pause) end
    end
end


function request()
    turn = turn % #requests + 1
    return requests[turn]
end


function done(summary, latency)
    local e = summary.errors

    io.write(string.format(
        "BENCH requests=%d seconds=%.6f refused=%d broken=%d p50=%d p99=%d\n",
        summary.requests, summary.duration / 1e6, e.status,
        e.connect + e.read + e.write + e.timeout,
        latency:percentile(50), latency:percentile(99)))
end
