-- Health of a sluice.dev Rollout for Argo CD. A run under way is Progressing, one that waits for a person Suspended, and a
-- rejected revision Degraded until Git holds another one.
local hs = {}
local status = obj.status
if status == nil or status.phase == nil then
  hs.status = "Progressing"
  hs.message = "waits for the controller"
  return hs
end
if status.observedGeneration ~= nil and status.observedGeneration < obj.metadata.generation then
  hs.status = "Progressing"
  hs.message = "the plan has changed and was not looked at yet"
  return hs
end
local healths = {
  Idle = "Healthy", Waiting = "Progressing", Running = "Progressing", Deleting = "Progressing", Paused = "Suspended",
  Rejected = "Degraded", Stalled = "Degraded",
}
hs.status = healths[status.phase] or "Unknown"
hs.message = status.message or status.phase
return hs
