-- Sends all traffic back to the version that ran before.
local annotations = obj.metadata.annotations or {}
local phase, rollout = annotations["headgate.dev/phase"], annotations["headgate.dev/rollout"]
if rollout == nil or not (phase == "Pending" or phase == "Progressing" or phase == "Paused") then
  error("no rollout is running that could be aborted", 0)
end
annotations["headgate.dev/command"] = "abort:" .. rollout
return obj
