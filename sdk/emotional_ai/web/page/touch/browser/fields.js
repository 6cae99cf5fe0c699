// A number with its unit and what is wrong with it, and a table of numbers with a column per chemical.
export const Field = {
  template: `
    <div class="field" :data-path="path">
      <label :for="id">{{ label }}</label>
      <input v-if="slider" type="range" :min="min" :max="max" step="0.01" v-model.number="text" :aria-label="label + ', slider'">
      <input :id="id" type="number" step="any" class="numbers" v-model="text" :aria-invalid="!!fault" :aria-describedby="fault ? id + '-fault' : null">
      <span class="muted">{{ unit }}</span>
      <span v-if="fault" class="fault" :id="id + '-fault'">{{ fault }}</span>
    </div>`,
  props: { path: String, label: String, unit: String, value: Number, slider: Boolean, min: Number, max: Number, fault: String },
  emits: ["set"],
  computed: {
    id() {
      return "field-" + this.path.replaceAll(".", "-");
    },
    text: {
      get() {
        return this.value ?? "";
      },
      set(given) {
        this.$emit("set", this.path, numbered(given));
      },
    },
  },
};

export const Cell = {
  template: `<td><input type="number" step="any" class="numbers" v-model="text" :aria-label="label" :data-path="path" :aria-invalid="wrong"></td>`,
  props: { path: String, label: String, value: Number, wrong: Boolean },
  emits: ["set"],
  computed: { text: Field.computed.text },
};

export const Table = {
  components: { Cell },
  template: `
    <div class="table-box"><table class="cells">
      <caption class="sr">{{ label }}</caption>
      <thead><tr><th scope="col">{{ corner }}</th><th v-for="one in columns" :key="one" scope="col">{{ one }}</th>
        <th v-if="sums" scope="col">{{ sums }}</th></tr></thead>
      <tbody><template v-for="row in rows" :key="row.path">
        <tr><th scope="row">{{ row.name }}</th>
          <Cell v-for="one in columns" :key="one" :path="row.path + '.' + one" :label="label + ': ' + row.name + ', ' + one"
            :value="row.of[one]" :wrong="!!(faults[row.path] || faults[row.path + '.' + one])" @set="(...given) => $emit('set', ...given)"/>
          <td v-if="sums" class="numbers muted">{{ row.sum }}</td></tr>
        <tr v-for="fault in wrong(row)" :key="fault" class="fault-row"><td :colspan="columns.length + 2" class="fault">{{ fault }}</td></tr>
      </template></tbody>
    </table></div>`,
  props: { label: String, corner: String, columns: Array, rows: Array, sums: String, faults: Object },
  emits: ["set"],
  methods: {
    wrong(row) {
      const own = this.faults[row.path] ? [`${row.name}: ${this.faults[row.path]}`] : [];
      const cells = this.columns.filter((one) => this.faults[`${row.path}.${one}`]);
      return [...own, ...cells.map((one) => `${row.name}, ${one}: ${this.faults[`${row.path}.${one}`]}`)];
    },
  },
};

function numbered(given) {
  const number = given === "" || given === null ? NaN : Number(given);
  return Number.isFinite(number) ? number : null;
}
