/** Annotations: alerts and what detectors noticed, as regions on panels. */
import type { AnnotationQuery, AnnotationSupport } from '@grafana/data';
import { newQuery } from '../../../server/src/contract/query.js';
import type { NetSpectraQuery } from '../types.js';
import { AnnotationEditor } from './annotation-editor.js';
import { annotationRefId, annotationTarget } from './query.js';

export class NetSpectraAnnotations implements AnnotationSupport<NetSpectraQuery> {
  readonly QueryEditor = AnnotationEditor;

  getDefaultQuery(): Partial<NetSpectraQuery> {
    return annotationTarget({}, { ...newQuery, refId: annotationRefId });
  }

  /** Old and hand-written ones in the present shape. */
  prepareAnnotation(json: AnnotationQuery<NetSpectraQuery>): AnnotationQuery<NetSpectraQuery> {
    return { ...json, target: annotationTarget(json.target, { ...newQuery, refId: annotationRefId }) };
  }

  prepareQuery(annotation: AnnotationQuery<NetSpectraQuery>): NetSpectraQuery | undefined {
    return annotationTarget(annotation.target, { ...newQuery, refId: annotation.target?.refId ?? annotationRefId });
  }
}
