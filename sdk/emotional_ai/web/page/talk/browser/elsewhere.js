// Something another client said to the session, or had it feel. Its words are not kept anywhere; its signals are.
import { signalWords } from "./voices.js";

export default {
  template: `
    <li class="elsewhere" :data-sequence="told.sequence">A turn from elsewhere: {{ heard }}<template v-if="told.note">,
      “{{ told.note }}”</template></li>`,
  props: { told: Object },
  computed: {
    heard() {
      return signalWords(this.told.signals);
    },
  },
};
