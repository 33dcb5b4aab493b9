-- Ends the wait of the present step. What has to pass before the next step is still waited for.
local annotations = obj.metadata.annotations or {}
local phase, rollout = annotations["headgate.dev/phase"], annotations["headgate.dev/rollout"]
if rollout == nil or not (phase == "Progressing" or phase == "Paused") then
  error("no canary is running, so there is nothing to promote", 0)
end
annotations["headgate.dev/command"] = "promote:" .. rollout
return obj
