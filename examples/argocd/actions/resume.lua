-- During a rollout it ends a pause by command. Otherwise it is Argo CD's own resume. It never
-- releases a template that Headgate holds.
local annotations = obj.metadata.annotations or {}
local phase, rollout = annotations["headgate.dev/phase"], annotations["headgate.dev/rollout"]
if rollout == nil then
  obj.spec.paused = nil
  return obj
end
if phase ~= "Paused" then
  error("the rollout is not paused; to let the new version go on use promote", 0)
end
annotations["headgate.dev/command"] = "resume:" .. rollout
return obj
