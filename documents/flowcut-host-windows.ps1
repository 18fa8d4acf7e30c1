# flowcut-host-windows: lists the network flows of this host, denies addresses in its firewall, and says what is left.
#
# Prints one line of JSON per flow and one verdict as the last line (functions/core/host/host-protocol.ts). For Windows PowerShell 5.1.
# Windows has no call that closes another process's socket for both families: a block rule reaches an established flow at its
# next packet, and the flow ends for good when its owner does. It is kept this small because no test executes it.

Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'

$verb = $env:SSM_Verb
$caseId = $env:SSM_CaseId
if ($verb -cnotmatch '\A(list|cut|undo|close-agent)\z' -or $caseId -cnotmatch '\A[a-z0-9-]{1,64}\z') { exit 2 }
$kill = $env:SSM_Survivors -ceq 'kill'
$endSessions = $env:SSM_Sessions -ceq 'stop'
$group = 'flowcut_' + $caseId
$outputLimit = 19500

$addresses = @()
if ($env:SSM_RemoteAddresses -cne 'none') {
  foreach ($text in $env:SSM_RemoteAddresses.Split(',')) {
    $address = $null
    if (-not [System.Net.IPAddress]::TryParse($text, [ref]$address)) { exit 2 }
    $addresses += $address.ToString()
  }
}

$errors = New-Object System.Collections.ArrayList

# Processes by id, asked for once; Idle and System (0 and 4) are among them and are never stopped.
$processes = @{}
foreach ($process in Get-Process) { $processes[[int]$process.Id] = $process }
$agentNames = @('amazon-ssm-agent', 'ssm-agent-worker', 'ssm-session-worker', 'ssm-document-worker')
$protectedNames = $agentNames + @('svchost', 'lsass', 'services', 'wininit', 'winlogon', 'csrss', 'smss')

function Get-Flow {
  $listening = @{}
  foreach ($socket in Get-NetTCPConnection -State Listen) { $listening[[int]$socket.LocalPort] = $true }
  $states = @('Established', 'CloseWait', 'FinWait1', 'FinWait2', 'Closing', 'LastAck')
  foreach ($socket in Get-NetTCPConnection) {
    if ($states -notcontains [string]$socket.State) { continue }
    $remote = [System.Net.IPAddress]::Parse(([string]$socket.RemoteAddress).Split('%')[0])
    if ($remote.IsIPv4MappedToIPv6) { $remote = $remote.MapToIPv4() }
    if ([System.Net.IPAddress]::IsLoopback($remote)) { continue }
    $owner = $processes[[int]$socket.OwningProcess]
    $name = $null
    if ($null -ne $owner) { $name = $owner.ProcessName -replace '[^ -~]', '?' }
    if ($agentNames -contains $name -and $owner.Path -like "$env:ProgramFiles\Amazon\SSM\*") { continue }
    $opened = 'instance'
    if ($listening.ContainsKey([int]$socket.LocalPort)) { $opened = 'remote' }
    [ordered]@{
      v = 1; kind = 'flow'; protocol = 'tcp'
      localAddress = ([string]$socket.LocalAddress).Split('%')[0] -replace '^::ffff:', ''; localPort = [int]$socket.LocalPort
      remoteAddress = $remote.ToString(); remotePort = [int]$socket.RemotePort
      openedBy = $opened; pid = [int]$socket.OwningProcess; process = $name; namespace = $null; after = 'open'
    }
  }
}

# UDP sockets, of which Windows knows no peer: whom they speak to is in no list, so each is a doubt and none is ever called gone.
# Windows itself has many (DNS, time, IKE); those of its own services, by name and folder, are left out.
function Get-LooseSocket {
  foreach ($socket in Get-NetUDPEndpoint) {
    $local = [System.Net.IPAddress]::Parse(([string]$socket.LocalAddress).Split('%')[0])
    if ([System.Net.IPAddress]::IsLoopback($local) -or [int]$socket.OwningProcess -eq 4) { continue }
    $owner = $processes[[int]$socket.OwningProcess]
    $name = $null
    if ($null -ne $owner) { $name = $owner.ProcessName -replace '[^ -~]', '?' }
    if ($agentNames -contains $name -and $owner.Path -like "$env:ProgramFiles\Amazon\SSM\*") { continue }
    if ($protectedNames -contains $name -and $owner.Path -like "$env:SystemRoot\System32\*") { continue }
    $any = '0.0.0.0'
    if ([string]$local.AddressFamily -eq 'InterNetworkV6') { $any = '::' }
    [ordered]@{
      v = 1; kind = 'flow'; protocol = 'udp'
      localAddress = $local.ToString().Split('%')[0]; localPort = [int]$socket.LocalPort
      remoteAddress = $any; remotePort = $null
      openedBy = 'unknown'; pid = [int]$socket.OwningProcess; process = $name; namespace = $null; after = 'unknown'
    }
  }
}

function Get-FlowKey($flow) {
  '{0}:{1} {2}:{3}' -f $flow.localAddress, $flow.localPort, $flow.remoteAddress, $flow.remotePort
}

# The second source. Its words for states are translated, its numbers are not: what has lost its owner (0) is TIME_WAIT.
function Get-NetstatKey {
  $keys = @{}
  foreach ($line in & "$env:SystemRoot\System32\netstat.exe" -ano) {
    $field = $line.Trim() -split '\s+'
    if ($field.Count -lt 5 -or $field[0] -ne 'TCP' -or $field[4] -eq '0') { continue }
    $keys[(($field[1] + ' ' + $field[2]) -replace '%\d+\]', ']' -replace '[\[\]]|::ffff:', '')] = $true
  }
  if ($LASTEXITCODE -ne 0) { throw 'netstat failed' }
  return $keys
}

function Test-Firewall {
  $rules = @(Get-NetFirewallRule -Group $group -ErrorAction SilentlyContinue)
  if (@($rules | Where-Object { $_.Direction -eq 'Inbound' }).Count -eq 0) { return $false }
  if (@($rules | Where-Object { $_.Direction -eq 'Outbound' }).Count -eq 0) { return $false }
  $held = @($rules | Get-NetFirewallAddressFilter | ForEach-Object { $_.RemoteAddress })
  foreach ($address in $addresses) { if (@($held | Where-Object { $_ -eq $address }).Count -lt 2) { return $false } }
  return $true
}

$flows = @(Get-Flow)

if ($verb -eq 'cut' -and $addresses.Count -gt 0) {
  Remove-NetFirewallRule -Group $group -ErrorAction SilentlyContinue
  foreach ($direction in @('Inbound', 'Outbound')) {
    $null = New-NetFirewallRule -DisplayName "$group $direction" -Group $group -Direction $direction -Action Block -RemoteAddress $addresses -Profile Any -Enabled True
  }
}
if ($verb -eq 'cut' -and $kill) {
  foreach ($flow in $flows) {
    if ($addresses -notcontains $flow.remoteAddress) { continue }
    if ($flow.pid -eq 0 -or $flow.pid -eq 4 -or $protectedNames -contains $flow.process) {
      $null = $errors.Add('process ' + $flow.pid + ' holds a flow and is protected: left running')
      continue
    }
    Stop-Process -Id $flow.pid -Force -ErrorAction SilentlyContinue
  }
  Start-Sleep -Milliseconds 500
}
# Of what qwinsta prints, the names rdp-tcp#0, rdp-tcp#1, ... are the same in every language; the session's number is the last one of
# the line, behind a user who may be called 7.
if ($verb -eq 'cut' -and $endSessions) {
  foreach ($line in & "$env:SystemRoot\System32\qwinsta.exe") {
    if ($line -notmatch '^[ >]rdp-tcp#\d+\s.*?\s(\d+)\s+\D*$') { continue }
    & "$env:SystemRoot\System32\logoff.exe" $Matches[1]
    if ($LASTEXITCODE -ne 0) { $null = $errors.Add('RDP session ' + $Matches[1] + ' could not be logged off') }
  }
}
if ($verb -eq 'undo') { Remove-NetFirewallRule -Group $group -ErrorAction SilentlyContinue; $flows = @() }
# The agent's own connections end with its service, which starts anew and dials again when the groups let it. Whoever restarts the service
# must not be its child: WMI starts it, and it waits until the agent has handed our answer in. A minute later once more, for what the agent
# has opened before the groups took effect.
if ($verb -eq 'close-agent') {
  $flows = @()
  $restart = 'Restart-Service -Name AmazonSSMAgent -Force'
  $powershell = "$env:SystemRoot\System32\WindowsPowerShell\v1.0\powershell.exe"
  $command = "$powershell -NoProfile -NonInteractive -Command Start-Sleep -Seconds 5; $restart; Start-Sleep -Seconds 60; $restart"
  $arguments = @{ CommandLine = $command }
  $started = Invoke-CimMethod -ClassName Win32_Process -MethodName Create -Arguments $arguments
  if ($started.ReturnValue -ne 0) { $null = $errors.Add('the service of the agent could not be restarted: ' + $started.ReturnValue) }
}

$survived = 0
$sources = @('powershell')
if ($verb -eq 'cut') {
  $netstat = Get-NetstatKey
  $now = @{}
  foreach ($flow in @(Get-Flow)) { $now[(Get-FlowKey $flow)] = $flow }
  $before = @{}
  foreach ($flow in $flows) {
    $before[(Get-FlowKey $flow)] = $true
    $key = Get-FlowKey $flow
    if (-not $now.ContainsKey($key) -and -not $netstat.ContainsKey($key)) { $flow.after = 'gone' }
  }
  foreach ($key in @($now.Keys)) { if (-not $before.ContainsKey($key)) { $flows += $now[$key] } }
  $sources = @('powershell', 'netstat')
  $survived = @($flows | Where-Object { $_.after -eq 'open' }).Count
}

$loose = @()
if ($verb -eq 'list' -or $verb -eq 'cut') { $loose = @(Get-LooseSocket) }

$firewall = 'none'
if (@(Get-NetFirewallRule -Group $group -ErrorAction SilentlyContinue).Count -gt 0 -and (Test-Firewall)) { $firewall = 'windows' }
if ($verb -eq 'cut' -and $addresses.Count -gt 0 -and $firewall -eq 'none') {
  $null = $errors.Add('the host firewall does not hold the addresses')
}

$closed = 0
if ($verb -eq 'cut') { $closed = $flows.Count - $survived }
$verdict = [ordered]@{
  v = 1; kind = 'verdict'; verb = $verb; caseId = $caseId; listed = $flows.Count + $loose.Count; omitted = 0; closed = $closed; survived = $survived
  sources = $sources; firewall = $firewall; errors = @($errors)
}
# Survivors and doubts first, so that they are what a long list keeps.
$left = $outputLimit - (ConvertTo-Json $verdict -Compress).Length - 10
foreach ($flow in @($flows + $loose | Sort-Object { [array]::IndexOf(@('open', 'unknown', 'gone'), $_.after) })) {
  $line = ConvertTo-Json $flow -Compress
  if ($left -lt $line.Length + 2) { $left = 0; $verdict.omitted += 1; continue }
  $left -= $line.Length + 2
  [Console]::Out.Write($line + "`n")
}
[Console]::Out.Write((ConvertTo-Json $verdict -Compress) + "`n")
