/** What `resources/status` of the datasource tells. */
export interface Status {
  readonly reachable: boolean;
  readonly ready: boolean;
  readonly error?: string;
  readonly version?: string;
  readonly uptimeSeconds?: number;
  readonly watermarkMs?: number | null;
  readonly dependencies?: readonly { readonly name: string; readonly ok: boolean; readonly detail: string }[];
  readonly role: string;
  readonly may: { readonly changeRules: boolean; readonly changeCaptureRules: boolean; readonly tokens: boolean };
}
