-- Skips every step that is left.
local annotations = obj.metadata.annotations or {}
local phase, rollout = annotations["headgate.dev/phase"], annotations["headgate.dev/rollout"]
if rollout == nil or not (phase == "Progressing" or phase == "Paused") then
  error("no canary is running, so there is nothing to promote", 0)
end
annotations["headgate.dev/command"] = "promote-full:" .. rollout
return obj
