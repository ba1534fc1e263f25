{{- define "ctr.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* 52 characters: a pod of a StatefulSet adds a number and a hash to it, in a label. */}}
{{- define "ctr.fullname" -}}
{{- $name := include "ctr.name" . -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $full .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- end }}

{{- define "ctr.selector" -}}
app.kubernetes.io/name: {{ include "ctr.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "ctr.engineSelector" -}}
{{ include "ctr.selector" . }}
app.kubernetes.io/component: engine
{{- end }}

{{/* Of a list: the root, and the component. */}}
{{- define "ctr.labels" -}}
{{- $root := index . 0 -}}
{{ include "ctr.selector" $root }}
app.kubernetes.io/component: {{ index . 1 }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
{{- end }}

{{- define "ctr.image" -}}
{{- with .Values.image -}}
{{- $tag := .tag | default $.Chart.AppVersion -}}
{{- if .digest }}{{ printf "%s:%s@%s" .repository $tag .digest }}{{ else }}{{ printf "%s:%s" .repository $tag }}{{ end }}
{{- end -}}
{{- end }}

{{- define "ctr.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ default (include "ctr.fullname" .) .Values.serviceAccount.name }}
{{- else -}}
{{ default "default" .Values.serviceAccount.name }}
{{- end -}}
{{- end }}

{{/* The Secret whose keys the pods have as variables; nothing when there is none. */}}
{{- define "ctr.secret" -}}
{{- if .Values.secret.existingSecret }}{{ .Values.secret.existingSecret }}{{ else if .Values.secret.values }}{{ include "ctr.fullname" . }}{{ end }}
{{- end }}

{{/* Whole seconds of a duration as the configuration writes it, rounded up; nothing when it can't be told, as of ${VAR}. */}}
{{- define "ctr.seconds" -}}
{{- if or (kindIs "float64" .) (kindIs "int64" .) (kindIs "int" .) -}}
{{- divf (toString (int64 .)) 1000 | ceil | int64 -}}
{{- else if regexMatch "^[0-9]+(\\.[0-9]+)?\\s*(ms|s|m|h|d)?$" (toString .) -}}
{{- $number := regexFind "^[0-9]+(\\.[0-9]+)?" . -}}
{{- $unit := regexFind "(ms|s|m|h|d)?$" . -}}
{{- $each := dict "" 0.001 "ms" 0.001 "s" 1.0 "m" 60.0 "h" 3600.0 "d" 86400.0 -}}
{{- mulf $number (get $each $unit) | ceil | int64 -}}
{{- end -}}
{{- end }}

{{- define "ctr.port" -}}
{{- get (.Values.config.http | default dict) "port" | default 9464 | int -}}
{{- end }}

{{- define "ctr.graceSeconds" -}}
{{- if kindIs "invalid" .Values.terminationGracePeriodSeconds -}}
{{- add (include "ctr.seconds" (get (.Values.config.shutdown | default dict) "timeout" | default "30s")) 15 -}}
{{- else -}}
{{- int64 .Values.terminationGracePeriodSeconds -}}
{{- end -}}
{{- end }}

{{/* Of a list: the root, and the names of Secrets, of which later ones go over earlier ones. */}}
{{- define "ctr.environment" -}}
{{- $root := index . 0 -}}
{{- $secrets := compact (index . 1) -}}
env:
  - name: POD_NAME
    valueFrom:
      fieldRef:
        fieldPath: metadata.name
  {{- with $root.Values.env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- if or $secrets $root.Values.envFrom }}
envFrom:
  {{- range $secrets }}
  - secretRef:
      name: {{ . }}
  {{- end }}
  {{- with $root.Values.envFrom }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end }}

{{/*
What every container of the engine's image has. Of a list: the root, and whether it is in a pod of the StatefulSet. Others have no disk of
volumeClaimTemplates.
*/}}
{{- define "ctr.container" -}}
{{- $claims := list -}}
{{- if not (index . 1) -}}
{{- range (index . 0).Values.volumeClaimTemplates }}{{ $claims = append $claims .metadata.name }}{{ end -}}
{{- end -}}
{{- with (index . 0) -}}
image: {{ include "ctr.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  {{- toYaml .Values.containerSecurityContext | nindent 2 }}
volumeMounts:
  - name: config
    mountPath: /etc/ctr
    readOnly: true
  {{- range .Values.volumeMounts }}
  {{- if not (has .name $claims) }}
  - {{ toYaml . | nindent 4 | trim }}
  {{- end }}
  {{- end }}
{{- end -}}
{{- end }}

{{/* What every pod has. Of a list: the root, and the name of its ConfigMap. */}}
{{- define "ctr.pod" -}}
{{- $root := index . 0 -}}
{{- with $root.Values -}}
# The engine never asks the Kubernetes API.
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml .podSecurityContext | nindent 2 }}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
volumes:
  - name: config
    configMap:
      name: {{ index $ 1 }}
  {{- with .volumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Annotations of a hook before install and upgrade; of its weight. */}}
{{- define "ctr.schemaHook" -}}
helm.sh/hook: pre-install,pre-upgrade
helm.sh/hook-weight: {{ . | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}

{{/* The schema Job comes before the release's own Secret, so it has a copy; its own user, when given, is over that. */}}
{{- define "ctr.schemaEnvironment" -}}
{{- $copy := "" -}}
{{- if .Values.secret.existingSecret }}{{ $copy = .Values.secret.existingSecret }}{{ else if .Values.secret.values }}{{ $copy = printf "%s-schema" (include "ctr.fullname" .) }}{{ end -}}
{{- include "ctr.environment" (list . (list $copy .Values.schema.existingSecret)) }}
{{- end }}

{{- define "ctr.networkPolicySpec" -}}
podSelector:
  matchLabels:
    {{- include "ctr.selector" . | nindent 4 }}
policyTypes: [Ingress, Egress]
ingress:
  - from:
      - podSelector:
          matchLabels:
            {{- include "ctr.selector" . | nindent 12 }}
      {{- with .Values.networkPolicy.ingressFrom }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    ports:
      - protocol: TCP
        port: {{ include "ctr.port" . }}
egress:
  # `helm test` asks the pods.
  - to:
      - podSelector:
          matchLabels:
            {{- include "ctr.selector" . | nindent 12 }}
    ports:
      - protocol: TCP
        port: {{ include "ctr.port" . }}
  {{- range $name := list "dns" "kafka" "clickhouse" "s3" "registry" }}
  {{- $peer := get $.Values.networkPolicy.egress $name }}
  {{- if $peer.to }}
  # {{ $name }}
  - to:
      {{- toYaml $peer.to | nindent 6 }}
    ports:
      {{- range $peer.ports }}
      - protocol: TCP
        port: {{ int . }}
      {{- if eq $name "dns" }}
      - protocol: UDP
        port: {{ int . }}
      {{- end }}
      {{- end }}
  {{- end }}
  {{- end }}
  {{- with .Values.networkPolicy.extraEgress }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
