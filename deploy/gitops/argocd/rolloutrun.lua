-- Health of a sluice.dev RolloutRun for Argo CD: the run of one revision.
local hs = {}
local status = obj.status
if status == nil or status.phase == nil then
  hs.status = "Progressing"
  hs.message = "begins"
  return hs
end
local healths = {
  Promoted = "Healthy", Superseded = "Healthy", Aborted = "Degraded", Paused = "Suspended",
}
hs.status = healths[status.phase] or "Progressing"
hs.message = status.message or status.phase
if status.progress ~= nil and hs.status == "Progressing" then
  hs.message = "step " .. status.progress .. ": " .. hs.message
end
return hs
