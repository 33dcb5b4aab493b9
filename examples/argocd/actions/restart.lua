-- Argo CD's own restart, except while a template is held: there it would reach the template
-- that waits and not the pods that serve, and begin the rollout again.
local os = require("os")
if (obj.metadata.annotations or {})["headgate.dev/rollout"] ~= nil then
  error("a new template is held, and a restart would begin its rollout again; to try a failed one again use retry", 0)
end
local template = obj.spec.template
template.metadata = template.metadata or {}
template.metadata.annotations = template.metadata.annotations or {}
template.metadata.annotations["kubectl.kubernetes.io/restartedAt"] = os.date("!%Y-%m-%dT%XZ")
return obj
