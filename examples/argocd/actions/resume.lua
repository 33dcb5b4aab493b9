-- During a rollout it ends a pause by command. Otherwise it is Argo CD's own resume. It never
-- releases a template that Headgate holds.
local annotations = obj.metadata.annotations or {}
local rollout = annotations["headgate.dev/rollout"]
if rollout == nil then
  obj.spec.paused = nil
  return obj
end
for _, c in ipairs((obj.status or {}).conditions or {}) do
  if annotations["headgate.dev/phase"] == "Paused" and c.type == "headgate.dev/Rollout" and c.reason == "PausedByCommand" then
    annotations["headgate.dev/command"] = "resume:" .. rollout
    return obj
  end
end
error("the rollout was not paused by a person; to let the new version go on use promote", 0)
