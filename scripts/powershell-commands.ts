/** A command of Windows PowerShell 5.1: where it is documented, and which of its parameters our script may use. */
interface Documented {
  readonly page: string;
  readonly parameters: readonly string[];
}

const DOCS = 'https://learn.microsoft.com/powershell/module';
const core = (name: string) => `${DOCS}/microsoft.powershell.core/${name}?view=powershell-5.1`;
const utility = (name: string) => `${DOCS}/microsoft.powershell.utility/${name}?view=powershell-5.1`;
const management = (name: string) => `${DOCS}/microsoft.powershell.management/${name}?view=powershell-5.1`;
const security = (name: string) => `${DOCS}/netsecurity/${name}?view=windowsserver2016-ps`;
const tcpip = (name: string) => `${DOCS}/nettcpip/${name}?view=windowsserver2016-ps`;

/** Of every command, about_CommonParameters. */
export const COMMON_PARAMETERS: readonly string[] = ['ErrorAction'];

export const COMMANDS: Readonly<Record<string, Documented>> = {
  'ConvertTo-Json': { page: utility('convertto-json'), parameters: ['Compress'] },
  'ForEach-Object': { page: core('foreach-object'), parameters: [] },
  'Get-NetFirewallAddressFilter': { page: security('get-netfirewalladdressfilter'), parameters: [] },
  'Get-NetFirewallRule': { page: security('get-netfirewallrule'), parameters: ['Group'] },
  'Get-NetTCPConnection': { page: tcpip('get-nettcpconnection'), parameters: ['State'] },
  'Get-NetUDPEndpoint': { page: tcpip('get-netudpendpoint'), parameters: [] },
  'Get-Process': { page: management('get-process'), parameters: [] },
  'Invoke-CimMethod': {
    page: `${DOCS}/cimcmdlets/invoke-cimmethod?view=powershell-5.1`,
    parameters: ['ClassName', 'MethodName', 'Arguments'],
  },
  'New-NetFirewallRule': {
    page: security('new-netfirewallrule'),
    parameters: ['DisplayName', 'Group', 'Direction', 'Action', 'RemoteAddress', 'Profile', 'Enabled'],
  },
  'New-Object': { page: utility('new-object'), parameters: [] },
  'Remove-NetFirewallRule': { page: security('remove-netfirewallrule'), parameters: ['Group'] },
  'Set-StrictMode': { page: core('set-strictmode'), parameters: ['Version'] },
  'Sort-Object': { page: utility('sort-object'), parameters: [] },
  'Start-Sleep': { page: utility('start-sleep'), parameters: ['Milliseconds'] },
  'Stop-Process': { page: management('stop-process'), parameters: ['Id', 'Force'] },
  'Where-Object': { page: core('where-object'), parameters: [] },
};

const WINDOWS = 'https://learn.microsoft.com/windows-server/administration/windows-commands';

/** Programs that are run with `&`, as the script writes them. */
export const PROGRAMS: Readonly<Record<string, string>> = {
  '"$env:SystemRoot\\System32\\netstat.exe"': `${WINDOWS}/netstat`,
  '"$env:SystemRoot\\System32\\qwinsta.exe"': `${WINDOWS}/qwinsta`,
  '"$env:SystemRoot\\System32\\logoff.exe"': `${WINDOWS}/logoff`,
};
