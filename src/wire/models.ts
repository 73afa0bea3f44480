/** `/v1/models` in both vendors' shapes. */
interface ListedModel {
  readonly name: string;
  readonly owner: string;
}

export const openaiModel = (model: ListedModel) => ({
  id: model.name,
  object: 'model',
  created: 0,
  owned_by: model.owner,
});

export const openaiModels = (models: readonly ListedModel[]) => ({
  object: 'list',
  // Codex reads this member instead: with none in it, it goes on with the models it ships.
  models: [],
  data: models.map(openaiModel),
});

export const anthropicModel = (model: ListedModel) => ({
  type: 'model',
  id: model.name,
  display_name: model.name,
  created_at: '1970-01-01T00:00:00Z',
});

export const anthropicModels = (models: readonly ListedModel[]) => ({
  data: models.map(anthropicModel),
  has_more: false,
  first_id: models[0]?.name ?? null,
  last_id: models.at(-1)?.name ?? null,
});
