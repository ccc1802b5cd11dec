-- For wrk: users are created, listed and read, in turn; reads carry the newest Consistency-Token of their thread, and are of users
-- that the thread has created: an answer that is neither 200 nor 201 is wrong. (wrk's scripts do not know which connection an answer
-- belongs to, so there are no walks of single users here: `npm run loadtest` and Gatling have them.)
local users = "/api/v1/users"
local threads = {}
local ids, token, turn = {}, nil, 0

wrong = 0

function setup(thread)
  table.insert(threads, thread)
end

local function ask(method, path, body)
  local headers = { ["Accept"] = "application/json" }
  if body then headers["Content-Type"] = "application/json" end
  if token then headers["Consistency-Token"] = token end
  return wrk.format(method, path, headers, body)
end

function request()
  turn = turn + 1
  if #ids == 0 or turn % 5 == 0 then return ask("POST", users, '{"first_name":"Ada","last_name":"wrk"}') end
  if turn % 5 == 1 then return ask("GET", users .. "?limit=20") end
  return ask("GET", users .. "/" .. ids[turn % #ids + 1])
end

function response(status, headers, body)
  if status ~= 200 and status ~= 201 then wrong = wrong + 1 end
  if status ~= 201 then return end
  for name, value in pairs(headers) do
    if name:lower() == "consistency-token" then token = value end
  end
  ids[#ids % 1000 + 1] = body:match('"id":"([^"]+)"')
end

function done(summary, latency)
  local sum = 0
  for _, thread in ipairs(threads) do sum = sum + thread:get("wrong") end
  io.write(string.format("wrong answers: %d of %d; socket errors: %d\n", sum, summary.requests,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
