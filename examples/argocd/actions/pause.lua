-- During a rollout it keeps the weight as it is. Otherwise it is Argo CD's own pause.
local annotations = obj.metadata.annotations or {}
local phase, rollout = annotations["headgate.dev/phase"], annotations["headgate.dev/rollout"]
if rollout == nil then
  obj.spec.paused = true
  return obj
end
if phase ~= "Progressing" then
  error("the rollout does not go through its steps now, so there is nothing to pause", 0)
end
annotations["headgate.dev/command"] = "pause:" .. rollout
return obj
