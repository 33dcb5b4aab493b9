-- Tries a template that was rolled back once more, from the first step.
local annotations = obj.metadata.annotations or {}
local phase, rollout = annotations["headgate.dev/phase"], annotations["headgate.dev/rollout"]
if rollout == nil or not (phase == "RolledBack") then
  error("no rollout was rolled back, so there is nothing to retry", 0)
end
annotations["headgate.dev/command"] = "retry:" .. rollout
return obj
