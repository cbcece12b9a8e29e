-- wrk: gets the URL and prints what post.lua prints.

function done(summary, latency)
    local e = summary.errors

    io.write(string.format(
        "BENCH requests=%d seconds=%.6f refused=%d broken=%d p50=%d p99=%d\n",
        summary.requests, summary.duration / 1e6, e.status,
        e.connect + e.read + e.write + e.timeout,
        latency:percentile(50), latency:percentile(99)))
end
