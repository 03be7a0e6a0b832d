-- SPDX-License-Identifier: Apache-2.0
-- What wrk sends and what it says at the end, by its argument.
local requests, turn = {}, 0

local function in_turn()
	turn = turn % #requests + 1
	return requests[turn]
end

-- About many entities, so that of the queries under way at the same moment
-- no two are alike and none can stand in for another.
local function make_queries(entities)
	local headers = { ["Content-Type"] = "application/json" }
	for i = 0, entities - 1 do
		table.insert(requests, wrk.format("POST", nil, headers,
		    '{"entityRef":"component:default/shop-' .. i ..
		    '","auth":{}}'))
	end
end

-- About one entity, from everybody.
local function make_same(name)
	table.insert(requests, wrk.format("POST", nil,
	    { ["Content-Type"] = "application/json" },
	    '{"entityRef":"component:default/' .. name .. '","auth":{}}'))
end

-- The reads that a query makes of one cluster.
local function make_reads(paths)
	for path in string.gmatch(paths, "[^,]+") do
		table.insert(requests, wrk.format("GET", path))
	end
end

function init(args)
	if args[1] == "query" then
		make_queries(tonumber(args[2]))
	elseif args[1] == "same" then
		make_same(args[2])
	elseif args[1] == "reads" then
		make_reads(args[2])
	else
		return
	end
	request = in_turn
end

function done(summary, latency)
	local e = summary.errors
	print(string.format("RESULT requests=%d seconds=%f p50=%f p99=%f " ..
	    "bad=%d", summary.requests, summary.duration / 1e6,
	    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
	    e.connect + e.read + e.write + e.status + e.timeout))
end
